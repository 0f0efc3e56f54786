import { evaluateFilter } from './filters/evaluate.ts'
import { compareCodePoints } from './filters/fold.ts'
import { parseFilter } from './filters/parse.ts'
import { parsePath, valuesAt } from './filters/path.ts'
import { matchesSearch, parseSearch } from './filters/search.ts'
import { parseSort, type SortKey } from './filters/sort.ts'
import { sortText } from './filters/sort-order.ts'
import { decodeCursor, encodeCursor, type PageRequest, type Pagination, paginate } from './pagination.ts'

/** What the body of a list asks for. */
export type ListQuery = {
  filters?: unknown
  sort?: unknown
  search?: string | null | undefined
  case_sensitive?: boolean | undefined
}

export type MemoryList<T> = {
  query: ListQuery
  page: PageRequest
  /** Path of the operation, for the links. */
  path: string
  /** The member that ends every ordering and names the place of a cursor. */
  id: keyof T & string
  /** The texts that a search looks at. */
  texts(record: T): readonly (string | null | undefined)[]
}

/**
 * One page of records that are few enough to be judged in memory, and all matches for the totals.
 * A list that grows with use is a query of the database instead.
 */
export function listInMemory<T extends Record<string, unknown>>(
  records: readonly T[],
  { query, page, path, id, texts }: MemoryList<T>,
): { results: T[]; matches: T[]; pagination: Pagination } {
  const { filters, sort, search, case_sensitive = false } = query
  const filter = parseFilter(filters, { profile: 'management', ...(case_sensitive && { case_sensitive }) })
  const pattern = parseSearch(search, { case_sensitive })
  const sorted = parseSort(sort)
  const order: SortKey[] = [
    ...(sorted.length > 0 ? sorted : [{ field: 'created_at', direction: 'desc' } as const]),
    { field: id, direction: 'asc' },
  ]
  const entries = records
    .filter((record) => !filter || evaluateFilter(filter, record))
    .filter((record) => !pattern || texts(record).some((text) => text && matchesSearch(pattern, text)))
    .map((record) => ({ record, keys: keysOf(record, order) }))
    .sort((a, b) => compareKeys(a.keys, b.keys, order))

  const identity = { filters, sort, search, case_sensitive }
  let start = page.offset
  if (page.cursor !== null) {
    const { keys } = decodeCursor(page.cursor, identity)
    const found = entries.findIndex((entry) => compareKeys(entry.keys, keys as SortTexts, order) > 0)
    start = found === -1 ? entries.length : found
  }
  const shown = entries.slice(start, start + page.limit)
  const last = shown.at(-1)
  const next_cursor =
    last && start + page.limit < entries.length
      ? encodeCursor({ keys: last.keys, id: String(last.record[id]) }, identity)
      : null
  return {
    results: shown.map(({ record }) => record),
    matches: entries.map(({ record }) => record),
    pagination: paginate({ page, total: entries.length, path, next_cursor }),
  }
}

type SortTexts = (string | null)[]

const keysOf = (record: unknown, order: readonly SortKey[]): SortTexts =>
  order.map(({ field }) => sortText(valuesAt(record, parsePath(field))[0]))

/** What has no value comes last in either direction. */
function compareKeys(a: SortTexts, b: SortTexts, order: readonly SortKey[]): number {
  for (const [i, { direction }] of order.entries()) {
    const [left, right] = [a[i] ?? null, b[i] ?? null]
    if (left === right) continue
    if (left === null) return 1
    if (right === null) return -1
    return compareCodePoints(left, right) * (direction === 'asc' ? 1 : -1)
  }
  return 0
}
