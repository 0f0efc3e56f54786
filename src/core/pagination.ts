import { hash } from 'node:crypto'
import Type, { type Static } from 'typebox'
import { KuraError } from './errors.ts'
import { canonicalJson, isObject } from './json.ts'
import { Nullable } from './schema.ts'

/** Which rows of a list a request wants; `cursor` beats `offset`. */
export type PageRequest = {
  limit: number
  offset: number
  cursor: string | null
  include_total: boolean
}

/** Bounds of one list operation. */
export type PageBounds = {
  limit_default: number
  limit_max: number
  /** Where the body allows fewer than the query. */
  body_limit_max?: number
  offset_max: number
}

export const PAGE_BOUNDS: PageBounds = { limit_default: 10, limit_max: 1000, offset_max: 10_000 }

export const Pagination = Type.Object({
  total: Type.Optional(Nullable(Type.Integer())),
  page: Type.Optional(Nullable(Type.Integer())),
  page_size: Type.Optional(Nullable(Type.Integer())),
  total_pages: Type.Optional(Nullable(Type.Integer())),
  next_page: Type.Optional(Nullable(Type.String())),
  previous_page: Type.Optional(Nullable(Type.String())),
  next_cursor: Type.Optional(Nullable(Type.String())),
})
export type Pagination = Static<typeof Pagination>

export type PaginateOptions = {
  page: PageRequest
  /** Null when it was not counted. */
  total: number | null
  /** Path of the operation, for the links. */
  path: string
  /** Cursor of the row after the page, or null at the end. */
  next_cursor: string | null
}

/** The `pagination` member of a list; page numbers and links are left out on cursor pages. */
export function paginate({
  page: { limit, offset, cursor },
  total,
  path,
  next_cursor,
}: PaginateOptions): Pagination {
  const result: Pagination = { page_size: limit }
  if (total !== null) {
    result.total = total
    result.total_pages = Math.ceil(total / limit)
  }
  if (cursor === null) {
    result.page = Math.floor(offset / limit) + 1
    if (next_cursor !== null) result.next_page = `${path}?limit=${limit}&offset=${offset + limit}`
    if (offset > 0) result.previous_page = `${path}?limit=${limit}&offset=${Math.max(0, offset - limit)}`
  }
  if (next_cursor !== null) result.next_cursor = next_cursor
  return result
}

/** A position in an ordered list: the sort values of the last row and its id. */
export type CursorPosition = { keys: (string | number | null)[]; id: string }

/** Opaque text for a position; `query` (search, filters, sort) is hashed so that it fits no other query. */
export function encodeCursor(position: CursorPosition, query: unknown): string {
  return Buffer.from(JSON.stringify([position.keys, position.id, queryHash(query)])).toString('base64url')
}

/** Throws `cursor_invalid` for damaged text and for a cursor of another query. */
export function decodeCursor(cursor: string, query: unknown): CursorPosition {
  const parsed = parseJson(Buffer.from(cursor, 'base64url').toString('utf8'))
  if (!Array.isArray(parsed) || parsed.length !== 3) throw new KuraError('cursor_invalid')
  const [keys, id, belongs_to] = parsed as unknown[]
  if (
    !Array.isArray(keys) ||
    !keys.every(isSortValue) ||
    !isSortValue(id) ||
    typeof id !== 'string' ||
    belongs_to !== queryHash(query)
  )
    throw new KuraError('cursor_invalid')
  return { keys, id }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new KuraError('cursor_invalid', {}, { cause })
  }
}

/** What a list may have written; anything else was made by hand, and a database may refuse it. */
const isSortValue = (value: unknown): value is string | number | null =>
  value === null ||
  Number.isFinite(value) ||
  (typeof value === 'string' && value.isWellFormed() && !value.includes('\0'))

function queryHash(query: unknown): string {
  const text = canonicalJson(isObject(query) || Array.isArray(query) ? query : [query])
  return hash('sha256', text, 'base64url').slice(0, 12)
}
