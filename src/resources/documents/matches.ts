import { sql } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import type { FilterNode } from '../../core/filters/ast.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import { parseSearch, type SearchPattern } from '../../core/filters/search.ts'
import { parseSort, type SortKey } from '../../core/filters/sort.ts'
import { decodeCursor } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { documentFilterTarget } from '../../engine/documents/filter-target.ts'
import {
  DOCUMENT_COLUMNS,
  type DocumentRecord,
  type DocumentRow,
  toDocument,
} from '../../engine/documents/record.ts'
import { matchingDocuments } from '../../engine/retrieve/matching.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { compileSearch } from '../../platform/db/filters/search.ts'
import { compileSort } from '../../platform/db/filters/sort.ts'
import type { CollectionRecord } from '../collections/index.ts'
import type { ListDocumentsBody } from './schemas.ts'

/** Which documents a list wants, and in which order. */
export type DocumentQuery = {
  collection_id: string
  filter: FilterNode | null
  search: SearchPattern | null
  sort: readonly SortKey[]
  /** Payload fields for which the filter can use an index. */
  indexed_fields?: ReadonlySet<string>
}

/** Oldest first: new documents come at the end, where they disturb no page; an index has this order. */
const OLDEST_FIRST: SortKey[] = [{ field: '_internal.created_at', direction: 'asc' }]

/** Throws `invalid_filter` and 422 for what cannot be read. */
export function parseQuery(
  { collection_id, output_schema }: Pick<CollectionRecord, 'collection_id' | 'output_schema'>,
  body: ListDocumentsBody,
): DocumentQuery {
  const sort = parseSort(body.sort).map((key) => (isColumn(key.field, output_schema) ? internal(key) : key))
  return {
    collection_id,
    filter: parseFilter(body.filters, { profile: 'document' }),
    search: parseSearch(body.search),
    sort: sort.length > 0 ? sort : OLDEST_FIRST,
  }
}

/**
 * Whether a time means the column. A root field of that name would come first, but then the schema
 * has it; to look for it in every document makes this common order fifty times slower.
 */
const isColumn = (field: string, { properties }: CollectionRecord['output_schema']) =>
  (field === 'created_at' || field === 'updated_at') && !Object.hasOwn(properties, field)

const internal = ({ field, direction }: SortKey): SortKey => ({ field: `_internal.${field}`, direction })

/** A document and its place in the order. */
export type Match = { document: DocumentRecord; keys: (string | number | null)[] }

type Slice = {
  limit: number
  offset?: number
  after?: { keys: (string | number | null)[]; id: string } | null
}

/** Matches in order, from an offset or behind a place. */
export async function readMatches(
  db: DbOrTrx,
  scope: Scope,
  query: DocumentQuery,
  { limit, offset = 0, after = null }: Slice,
): Promise<Match[]> {
  const order = compileSort(query.sort, documentFilterTarget(dialect(db)), 'documents.document_id')
  let select = matching(db, scope, query)
    .select(DOCUMENT_COLUMNS)
    .select(order.keys.map((key, i) => sql<string | number | null>`${key}`.as(keyName(i))))
    .limit(limit)
  for (const term of order.order_by) select = select.orderBy(sql`${term}`)
  select = after ? select.where(order.after(after)) : select.offset(offset)
  const rows = (await select.execute()) as (DocumentRow & Record<string, string | number | null>)[]
  return rows.map((row) => {
    const keys = order.keys.map((_key, i) => row[keyName(i)] ?? null)
    for (const i of order.keys.keys()) delete row[keyName(i)]
    return { document: toDocument(row), keys }
  })
}

const keyName = (i: number) => `order_key_${i}`

export async function countMatches(db: DbOrTrx, scope: Scope, query: DocumentQuery): Promise<number> {
  const { count } = await matching(db, scope, query)
    .select(sql<number>`count(*)`.as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

function matching(
  db: DbOrTrx,
  scope: Scope,
  { collection_id, filter, search, indexed_fields }: DocumentQuery,
) {
  const query = matchingDocuments(db, scope, filter, [collection_id], indexed_fields)
  if (!search) return query
  return query.where(compileSearch(search, [{ kind: 'members', column: 'documents.payload' }], dialect(db)))
}

/** As `decodeCursor`, under the code that the document operations have for it. */
export function documentCursor(
  cursor: string,
  query: unknown,
): { keys: (string | number | null)[]; id: string } {
  try {
    return decodeCursor(cursor, query)
  } catch (cause) {
    if (cause instanceof KuraError && cause.code === 'cursor_invalid')
      throw new KuraError('invalid_cursor', {}, { cause })
    throw cause
  }
}

export function averageBlobs(documents: readonly DocumentRecord[]): number {
  if (documents.length === 0) return 0
  const blobs = documents.reduce((sum, { document_blobs }) => sum + document_blobs.length, 0)
  return blobs / documents.length
}
