import { ValidationError } from '../errors.ts'
import { isObject } from '../json.ts'
import { compareCodePoints } from './fold.ts'
import { instantOf } from './scalars.ts'

export type SortDirection = 'asc' | 'desc'
export type SortKey = { readonly field: string; readonly direction: SortDirection }

export type SortOptions = {
  /** Refuse a list of keys as the whole value. */
  object_only?: boolean
  loc?: (string | number)[]
}

const SORT_KEYS_MAX = 10

/**
 * Reads a sort in any form of the contract: `{field, direction}` (also `order`, `sort_order`),
 * `{created_at: "desc"}`, `{created_at: -1}`, several members or a list of these. Earlier keys count
 * more. Nothing given is an empty list: the caller's default order. Throws 422.
 */
export function parseSort(input: unknown, options: SortOptions = {}): SortKey[] {
  const loc = options.loc ?? ['body', 'sort']
  if (input === null || input === undefined) return []
  if (isObject(input)) return bounded(keysOf(input, loc), loc)
  if (!Array.isArray(input) || options.object_only)
    throw invalid(loc, 'dict_type', 'Input should be a valid dictionary')
  return bounded(
    input.flatMap((part: unknown, i) => {
      if (!isObject(part)) throw invalid([...loc, i], 'dict_type', 'Input should be a valid dictionary')
      return keysOf(part, [...loc, i])
    }),
    loc,
  )
}

const DIRECTION_MEMBERS = ['direction', 'order', 'sort_order']

function keysOf(input: Record<string, unknown>, loc: (string | number)[]): SortKey[] {
  const { field } = input
  if (field === undefined) {
    const members = Object.keys(input)
    if (members.includes('direction') && members.every((name) => DIRECTION_MEMBERS.includes(name)))
      throw invalid([...loc, 'field'], 'missing', 'Field required')
    return Object.entries(input).map(([name, value]) => ({
      field: name.toWellFormed(),
      direction: directionOf(value, [...loc, name]),
    }))
  }
  if (typeof field !== 'string' || field === '')
    throw invalid([...loc, 'field'], 'string_type', 'Input should be a valid string')
  const name = DIRECTION_MEMBERS.find((member) => input[member] !== undefined && input[member] !== null)
  return [
    {
      field: field.toWellFormed(),
      direction: name === undefined ? 'asc' : directionOf(input[name], [...loc, name]),
    },
  ]
}

const DIRECTIONS: Readonly<Record<string, SortDirection>> = {
  asc: 'asc',
  ascending: 'asc',
  '1': 'asc',
  desc: 'desc',
  descending: 'desc',
  '-1': 'desc',
}

function directionOf(value: unknown, loc: (string | number)[]): SortDirection {
  const word = typeof value === 'string' || typeof value === 'number' ? String(value).toLowerCase() : ''
  if (Object.hasOwn(DIRECTIONS, word)) return DIRECTIONS[word]!
  throw invalid(loc, 'enum', "Input should be 'asc' or 'desc'")
}

function bounded(keys: SortKey[], loc: (string | number)[]): SortKey[] {
  if (keys.length <= SORT_KEYS_MAX) return keys
  throw invalid(
    loc,
    'too_long',
    `List should have at most ${SORT_KEYS_MAX} items after validation, not ${keys.length}`,
  )
}

const invalid = (loc: (string | number)[], type: string, msg: string) =>
  new ValidationError([{ loc: [...loc], msg, type }])

/**
 * Order of two values of the `sort_attribute` stage, where case counts: numbers, instants, strings by
 * code point, false before true; values of different kinds compare by their text.
 */
export function compareSortValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const left = sortableText(a)
  const right = sortableText(b)
  const earlier = instantOf(left)
  const later = instantOf(right)
  return earlier !== null && later !== null
    ? compareCodePoints(earlier, later)
    : compareCodePoints(left, right)
}

const sortableText = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
