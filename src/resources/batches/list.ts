import { sql } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import { parseSearch } from '../../core/filters/search.ts'
import { parseSort, type SortKey } from '../../core/filters/sort.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { storedStatus } from '../../core/task-status.ts'
import { type DbOrTrx, type Dialect, dialect } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { compileSearch, type SearchField } from '../../platform/db/filters/search.ts'
import { compileSort } from '../../platform/db/filters/sort.ts'
import { type FilterTarget, tableFields } from '../../platform/db/filters/target.ts'
import type { ListBatchesBody } from './schemas.ts'
import { type BatchRow, COLUMNS } from './store.ts'

const NEWEST_FIRST: SortKey[] = [{ field: 'created_at', direction: 'desc' }]

const SEARCH_FIELDS: SearchField[] = [
  { kind: 'text', column: 'batches.batch_id' },
  { kind: 'text', column: 'batches.error' },
  { kind: 'leaves', column: 'batches.metadata' },
]

const target = (dialect: Dialect): FilterTarget => ({
  dialect,
  locate: tableFields({
    columns: {
      batch_id: { column: 'batches.batch_id', type: 'text', required: true },
      bucket_id: { column: 'batches.bucket_id', type: 'text', required: true },
      status: { column: 'batches.status', type: 'text', required: true },
      type: { column: 'batches.type', type: 'text', required: true },
      task_id: { column: 'batches.task_id', type: 'text' },
      error: { column: 'batches.error', type: 'text' },
      object_count: { column: 'batches.object_count', type: 'number', required: true },
      priority: { column: 'batches.priority', type: 'number', required: true },
      current_tier: { column: 'batches.current_tier', type: 'number' },
      total_tiers: { column: 'batches.total_tiers', type: 'number', required: true },
      created_at: { column: 'batches.created_at', type: 'instant', required: true },
      updated_at: { column: 'batches.updated_at', type: 'instant', required: true },
    },
    json: {
      metadata: { column: 'batches.metadata', is_object: true },
      internal_metadata: { column: 'batches.internal_metadata', is_object: true },
      collection_ids: { column: 'batches.collection_ids' },
    },
  }),
})

/** One page of the batches of a bucket that match, newest first unless sorted; `total` counts all matches. */
export async function listBatches(
  db: DbOrTrx,
  { namespaceId }: Scope,
  bucket_id: string,
  { status, filters, search, sort, case_sensitive }: ListBatchesBody,
  { limit, offset, cursor }: PageRequest,
): Promise<{ rows: BatchRow[]; total: number }> {
  // This list gives no cursors, so one that comes belongs to another list.
  if (cursor !== null) throw new KuraError('cursor_invalid')
  const fields = target(dialect(db))
  const filter = parseFilter(filters, { profile: 'management', case_sensitive })
  const pattern = parseSearch(search, { case_sensitive })
  const keys = parseSort(sort)
  let matching = db
    .selectFrom('batches')
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
  if (status) matching = matching.where('status', '=', storedStatus(status))
  if (filter) matching = matching.where(compileFilter(filter, fields))
  if (pattern) matching = matching.where(compileSearch(pattern, SEARCH_FIELDS, dialect(db)))
  let page = matching.select(COLUMNS).limit(limit).offset(offset)
  const order = compileSort(keys.length > 0 ? keys : NEWEST_FIRST, fields, 'batches.batch_id')
  for (const term of order.order_by) page = page.orderBy(sql`${term}`)
  const rows = await page.execute()
  const { total } = await matching.select(sql<number>`count(*)`.as('total')).executeTakeFirstOrThrow()
  return { rows, total: Number(total) }
}
