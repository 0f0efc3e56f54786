import type { Violation } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { PageBounds, PageRequest } from '../core/pagination.ts'

/**
 * Reads paging from wherever clients put it: an explicit body value beats the query, null and ""
 * are absent, `page_size` is `limit`, `page` counts from 1.
 */
export function readPage(
  query: unknown,
  body: unknown,
  bounds: PageBounds,
  violations: Violation[],
): PageRequest {
  const read = (names: string[], minimum: number, maximum: number, body_maximum = maximum) => {
    for (const [place, source] of [
      ['body', body],
      ['query', query],
    ] as const) {
      for (const name of names) {
        const value = isObject(source) ? source[name] : undefined
        if (value === undefined || value === null || value === '') continue
        const most = place === 'body' ? body_maximum : maximum
        return readInteger(value, [place, name], minimum, most, violations)
      }
    }
    return undefined
  }
  const limit =
    read(['limit', 'page_size'], 1, bounds.limit_max, bounds.body_limit_max) ?? bounds.limit_default
  const page = read(['page', 'page_number'], 1, 1_000_000)
  const offset = read(['offset', 'skip'], 0, bounds.offset_max) ?? (page ? (page - 1) * limit : 0)
  return {
    limit,
    offset,
    cursor: readText(body, query, 'cursor'),
    include_total: readFlag(body, query, 'include_total'),
  }
}

function readInteger(
  value: unknown,
  loc: (string | number)[],
  minimum: number,
  maximum: number,
  violations: Violation[],
) {
  const number = typeof value === 'string' && /^\s*[+-]?\d+\s*$/.test(value) ? Number(value) : value
  const add = (type: string, msg: string) => void violations.push({ loc, msg, type })
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
    add('int_parsing', 'Input should be a valid integer, unable to parse string as an integer')
  } else if (number < minimum)
    add('greater_than_equal', `Input should be greater than or equal to ${minimum}`)
  else if (number > maximum) add('less_than_equal', `Input should be less than or equal to ${maximum}`)
  else return number
  return undefined
}

function readText(body: unknown, query: unknown, name: string): string | null {
  for (const source of [body, query]) {
    const value = isObject(source) ? source[name] : undefined
    if (typeof value === 'string' && value !== '') return value
  }
  return null
}

function readFlag(body: unknown, query: unknown, name: string): boolean {
  for (const source of [body, query]) {
    const value = isObject(source) ? source[name] : undefined
    if (value === true || value === 1 || value === 'true' || value === '1' || value === 'True') return true
    if (value !== undefined && value !== null && value !== '') return false
  }
  return false
}
