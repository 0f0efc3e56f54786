import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { dialect, type Trx } from '../../platform/db/db.ts'
import { bucketNotFound, DELETING, requireWritable } from './record.ts'
import { changeTotals } from './totals.ts'

/** Sizes in bytes of whole objects (the sum of their blobs), one entry an object. */
export type ObjectChanges = { added: readonly number[]; removed: readonly number[] }

/**
 * Keeps the object counters of a bucket and its namespace exact. Call it in the transaction that
 * changes `objects`, after their rows: an extreme that left is read again from what remains.
 * Throws `bucket_not_found`, and when objects are added `resource_deleting` if the bucket goes and
 * `bucket_schema_changed` if it has another schema than the version that they were checked against.
 */
export async function changeObjectStats(
  trx: Trx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  bucket_id: string,
  changes: ObjectChanges,
  { schema_version }: { schema_version?: number } = {},
): Promise<void> {
  const { added, removed } = changes
  if (added.length === 0 && removed.length === 0) return
  const bucket = await lockBucket(trx, namespaceId, bucket_id)
  if (!bucket) throw bucketNotFound(bucket_id)
  if (bucket.status === DELETING && added.length > 0) requireWritable({ is_locked: false, ...bucket })
  if (schema_version !== undefined && schema_version !== bucket.schema_version && added.length > 0)
    throw new KuraError('bucket_schema_changed')
  const objects = added.length - removed.length
  const size_bytes = sum(added) - sum(removed)
  const now = timestamp()
  await trx
    .updateTable('buckets')
    .set((eb) => ({
      object_count: eb('object_count', '+', objects),
      total_size_bytes: eb('total_size_bytes', '+', size_bytes),
      stats_updated_at: now,
    }))
    .set(await extremes(trx, namespaceId, bucket_id, bucket, changes))
    .$if(added.length > 0, (query) => query.set({ last_upload_at: now }))
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .execute()
  await changeTotals(trx, namespaceId, bucket_id, { objects, size_bytes })
}

type Extremes = { min_size_bytes: number; max_size_bytes: number }

/**
 * The lock makes other writers of the bucket wait on PostgreSQL, so that the extremes are read
 * from every committed object; SQLite has one writer.
 */
function lockBucket(trx: Trx, namespaceId: string, bucket_id: string) {
  const query = trx
    .selectFrom('buckets')
    .select(['status', 'schema_version', 'object_count', 'min_size_bytes', 'max_size_bytes'])
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
  return (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
}

async function extremes(
  trx: Trx,
  namespaceId: string,
  bucket_id: string,
  bucket: Extremes & { object_count: number },
  { added, removed }: ObjectChanges,
): Promise<Extremes> {
  const { object_count, min_size_bytes, max_size_bytes } = bucket
  if (removed.some((size) => size <= min_size_bytes || size >= max_size_bytes)) {
    // Two look-ups at the ends of the objects_by_size index.
    const left = await trx
      .selectNoFrom((eb) =>
        (['min', 'max'] as const).map((end) =>
          eb
            .selectFrom('objects')
            .select((inner) => inner.fn[end]('size_bytes').as('size'))
            .where('namespace_id', '=', namespaceId)
            .where('bucket_id', '=', bucket_id)
            .as(end),
        ),
      )
      .executeTakeFirstOrThrow()
    return { min_size_bytes: Number(left.min ?? 0), max_size_bytes: Number(left.max ?? 0) }
  }
  if (added.length === 0) return { min_size_bytes, max_size_bytes }
  const [smallest, largest] = [Math.min(...added), Math.max(...added)]
  if (object_count === 0) return { min_size_bytes: smallest, max_size_bytes: largest }
  return {
    min_size_bytes: Math.min(min_size_bytes, smallest),
    max_size_bytes: Math.max(max_size_bytes, largest),
  }
}

const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0)

export type BatchCounter = 'batch_active' | 'batch_completed' | 'batch_failed'

/** Which counter a batch of a status is in; CANCELED ones are in the total only. */
export const BATCH_COUNTERS: Record<string, BatchCounter | undefined> = {
  DRAFT: 'batch_active',
  PENDING: 'batch_active',
  IN_PROGRESS: 'batch_active',
  PROCESSING: 'batch_active',
  COMPLETED: 'batch_completed',
  COMPLETED_WITH_ERRORS: 'batch_completed',
  FAILED: 'batch_failed',
}

/**
 * Moves one batch between the counters of its bucket, in the transaction that changes its status.
 * `from` null: the batch is new; `to` null: it is removed. A CANCELED batch counts in the total only.
 */
export async function changeBatchStats(
  trx: Trx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  bucket_id: string,
  { from, to }: { from: string | null; to: string | null },
): Promise<void> {
  const left = from === null ? undefined : BATCH_COUNTERS[from]
  const entered = to === null ? undefined : BATCH_COUNTERS[to]
  const total = (to === null ? 0 : 1) - (from === null ? 0 : 1)
  if (left === entered && total === 0) return
  const change = (counter: BatchCounter) => Number(entered === counter) - Number(left === counter)
  const { numUpdatedRows } = await trx
    .updateTable('buckets')
    .set((eb) => ({
      batch_total: eb('batch_total', '+', total),
      batch_active: eb('batch_active', '+', change('batch_active')),
      batch_completed: eb('batch_completed', '+', change('batch_completed')),
      batch_failed: eb('batch_failed', '+', change('batch_failed')),
      stats_updated_at: timestamp(),
    }))
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .executeTakeFirst()
  // A batch of a bucket that is gone has no counters left to keep.
  if (numUpdatedRows > 0n) await changeTotals(trx, namespaceId, bucket_id)
}
