import Type, { type Static, type TSchema } from 'typebox'
import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { isObject } from '../../core/json.ts'
import { decodeCursor, encodeCursor } from '../../core/pagination.ts'
import { Defaulted, Nullable } from '../../core/schema.ts'
import { validator } from '../../core/validation.ts'

/** Rows of an answer when the request says nothing about pages. */
export const PAGE_DEFAULT = 20

const SIZES = { cursor: [10, 500], offset: [10, 500], keyset: [10, 500] } as const

/** Which part of the final list a request wants. */
export type ResultPage = {
  method: 'cursor' | 'offset' | 'keyset'
  limit: number
  offset: number
  /** Keyset only: the position after which the page begins. */
  after: { score: number; id: string } | null
}

const size = (method: keyof typeof SIZES) =>
  Defaulted(Type.Integer({ minimum: 1, maximum: SIZES[method][1] }), SIZES[method][0])

const Cursor = Type.Object({
  limit: size('cursor'),
  offset: Defaulted(Type.Integer({ minimum: 0 }), 0),
  cursor: Type.Optional(Nullable(Type.String())),
})
const Offset = Type.Object({
  page_size: size('offset'),
  page_number: Defaulted(Type.Integer({ minimum: 1 }), 1),
})
const Keyset = Type.Object({
  limit: size('keyset'),
  after: Type.Optional(Nullable(Type.Object({ score: Type.Number(), id: Type.String() }))),
})

/**
 * Reads the `pagination` of an execution; `query` is hashed into cursors. Without one, the first
 * `limit_default` results. Throws a 422 for bounds, `cursor_invalid` for tokens of other inputs.
 */
export function readResultPage(
  pagination: unknown,
  query: unknown,
  limit_default = PAGE_DEFAULT,
): ResultPage {
  if (!isObject(pagination)) return { method: 'cursor', limit: limit_default, offset: 0, after: null }
  const given = Object.fromEntries(
    Object.entries(pagination).filter(([, value]) => value !== null && value !== ''),
  )
  switch (methodOf(given)) {
    case 'offset': {
      const { page_size, page_number } = checked(Offset, { page_size: given.limit, ...given })
      return { method: 'offset', limit: page_size, offset: (page_number - 1) * page_size, after: null }
    }
    case 'keyset': {
      const { limit, after } = checked(Keyset, given)
      return { method: 'keyset', limit, offset: 0, after: after ?? null }
    }
    case 'cursor': {
      const { limit, offset, cursor } = checked(Cursor, { limit: given.page_size, ...given })
      return { method: 'cursor', limit, offset: cursor ? cursorOffset(cursor, query) : offset, after: null }
    }
    default:
      throw new KuraError('bad_request', {
        reason: 'pagination.method must be cursor, offset or keyset on this server.',
      })
  }
}

function methodOf(pagination: Record<string, unknown>): string {
  if (typeof pagination.method === 'string') return pagination.method.toLowerCase()
  return pagination.page_number !== undefined || pagination.page_size !== undefined ? 'offset' : 'cursor'
}

function checked<T extends TSchema>(schema: T, value: unknown): Static<T> {
  const violations: Violation[] = []
  const result = validator(schema)(value, ['body', 'pagination'], violations)
  if (violations.length > 0) throw new ValidationError(violations)
  return result as Static<T>
}

/** Ours are bound to the query; a bare `{"offset": n}` in base64 works too (contract, pagination). */
function cursorOffset(cursor: string, query: unknown): number {
  const bare = bareOffset(cursor)
  if (bare !== null) return bare
  const [offset] = decodeCursor(cursor, query).keys
  if (typeof offset !== 'number') throw new KuraError('cursor_invalid')
  return offset
}

function bareOffset(cursor: string): number | null {
  try {
    const value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown
    return isObject(value) && Number.isSafeInteger(value.offset) && (value.offset as number) >= 0
      ? (value.offset as number)
      : null
  } catch {
    // Not JSON: then it can only be a damaged cursor, which the caller reports.
    return null
  }
}

type Ranked = { score: number; document_seq: number }

/** The rows of a page and its `pagination` member. */
export function slicePage<T extends Ranked>(
  list: readonly T[],
  page: ResultPage,
  query: unknown,
): { rows: T[]; pagination: Record<string, unknown> } {
  const { method, limit } = page
  const start = page.after ? keysetStart(list, page.after) : page.offset
  const rows = list.slice(start, start + limit)
  const end = start + rows.length
  const has_next = end < list.length
  const common = {
    method,
    total: list.length,
    limit,
    page_size: limit,
    offset: start,
    has_next,
    has_previous: start > 0,
  }
  if (method === 'cursor')
    return {
      rows,
      pagination: { ...common, cursor: has_next ? encodeCursor({ keys: [end], id: '' }, query) : null },
    }
  if (method === 'offset')
    return { rows, pagination: { ...common, page_number: Math.floor(start / limit) + 1 } }
  const last = rows.at(-1)
  return {
    rows,
    pagination: {
      ...common,
      next_cursor: has_next && last ? { score: last.score, id: String(last.document_seq) } : null,
    },
  }
}

/** Lists in score order only: a later position is where score and id have both been passed. */
function keysetStart(list: readonly Ranked[], after: { score: number; id: string }): number {
  const isOrdered = list.every((one, i) => i === 0 || list[i - 1]!.score >= one.score)
  if (!isOrdered)
    throw new KuraError('bad_request', {
      reason: 'Keyset pages need a final order by score (keyset_requires_sort).',
    })
  const exact = list.findIndex((one) => String(one.document_seq) === after.id)
  if (exact >= 0) return exact + 1
  const next = list.findIndex((one) => one.score < after.score)
  return next < 0 ? list.length : next
}
