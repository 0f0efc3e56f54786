import { evaluateFilter } from '../../core/filters/evaluate.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import { parsePath, valuesAt } from '../../core/filters/path.ts'
import { matchesSearch, parseSearch } from '../../core/filters/search.ts'
import { parseSort, type SortKey } from '../../core/filters/sort.ts'
import { compareBy, sortText } from '../../core/filters/sort-order.ts'
import { decodeCursor, encodeCursor, type PageRequest, paginate } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, inSnapshot } from '../../platform/db/db.ts'
import { presentCollection } from './present.ts'
import { toRecord } from './record.ts'
import { countRetrievers } from './retriever-counts.ts'
import type { CollectionResponse, ListCollectionsBody, ListCollectionsResponse } from './schemas.ts'
import * as store from './store.ts'

const NEWEST_FIRST: SortKey[] = [{ field: 'created_at', direction: 'desc' }]

/**
 * One page of the collections that match, with counts over all matches. A namespace has few
 * collections, each with deep JSON that any filter may reach into, so they are judged in memory.
 */
export async function listCollections(
  db: Db,
  scope: Scope,
  body: ListCollectionsBody,
  page: PageRequest,
): Promise<ListCollectionsResponse> {
  const sort = parseSort(body.sort)
  const order = [
    ...(sort.length > 0 ? sort : NEWEST_FIRST),
    { field: 'collection_id', direction: 'asc' } as const,
  ]
  const matches = (await readAll(db, scope)).filter(matcher(body)).sort(compareBy(order))
  const start = page.cursor === null ? page.offset : afterCursor(matches, order, page.cursor, body)
  const results = matches.slice(start, start + page.limit)
  const last = results.at(-1)
  const next_cursor =
    last && start + page.limit < matches.length
      ? encodeCursor({ keys: keysOf(last, order), id: last.collection_id }, body)
      : null
  return {
    results,
    total_count: matches.length,
    pagination: paginate({ page, total: matches.length, path: '/v1/collections/list', next_cursor }),
    stats: statsOf(matches),
  }
}

function readAll(db: Db, scope: Scope): Promise<CollectionResponse[]> {
  return inSnapshot(db, async (trx) => {
    const rows = await store.listCollections(trx, scope)
    const counts = await countRetrievers(trx, scope)
    return rows.map((row) => presentCollection(toRecord(row), { retriever_count: counts(row) }))
  })
}

function matcher({
  filters,
  search,
  case_sensitive,
}: ListCollectionsBody): (one: CollectionResponse) => boolean {
  const filter = parseFilter(filters, { profile: 'management', ...(case_sensitive && { case_sensitive }) })
  const pattern = parseSearch(search, { case_sensitive })
  return (one) => {
    if (filter && !evaluateFilter(filter, one)) return false
    if (!pattern) return true
    const { collection_id, collection_name, description, feature_extractor } = one
    const texts = [collection_id, collection_name, description, feature_extractor.feature_extractor_name]
    return texts.some((text) => text && matchesSearch(pattern, text))
  }
}

/** The place of the first match behind the cursor; matches that went or came since do not move it. */
function afterCursor(
  matches: readonly CollectionResponse[],
  order: readonly SortKey[],
  cursor: string,
  query: unknown,
): number {
  const position = decodeCursor(cursor, query)
  const isAfter = (one: CollectionResponse) => compareKeys(keysOf(one, order), position.keys, order) > 0
  const found = matches.findIndex(isAfter)
  return found === -1 ? matches.length : found
}

const keysOf = (one: CollectionResponse, order: readonly SortKey[]) =>
  order.map(({ field }) => sortText(valuesAt(one, parsePath(field))[0]))

function compareKeys(
  left: readonly (string | null)[],
  right: readonly (string | number | null)[],
  order: readonly SortKey[],
): number {
  for (const [i, { direction }] of order.entries()) {
    const [a, b] = [left[i] ?? null, right[i] ?? null]
    if (a === b) continue
    if (a === null) return 1
    if (b === null) return -1
    return (a < b ? -1 : 1) * (direction === 'asc' ? 1 : -1)
  }
  return 0
}

function statsOf(matches: readonly CollectionResponse[]): ListCollectionsResponse['stats'] {
  const sum = (count: (one: CollectionResponse) => number) =>
    matches.reduce((total, one) => total + count(one), 0)
  const total_documents = sum(({ document_count }) => document_count)
  return {
    total_documents,
    avg_documents_per_collection: matches.length === 0 ? 0 : total_documents / matches.length,
    collections_with_taxonomies: matches.filter(({ taxonomy_count }) => taxonomy_count > 0).length,
    total_feature_extractors: matches.length,
    total_taxonomies: sum(({ taxonomy_count }) => taxonomy_count),
    total_retrievers: sum(({ retriever_count }) => retriever_count),
  }
}
