import type { Scope } from '../../core/scope.ts'
import type { Trx } from '../../platform/db/db.ts'
import { deleteSlice } from '../../platform/db/delete-slice.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import { advanceTasks, updateTask } from '../tasks/index.ts'
import { changeBatchStats, changeObjectStats } from './stats.ts'

/** Objects, or entries of a batch, removed in one transaction: no writer waits long. */
const SLICE_OBJECTS = 500
const SLICE_ENTRIES = 2000

/**
 * Removes a part of what another resource keeps for a bucket that is being deleted; null: nothing is
 * left. The files go to `deleteBytes` after the commit.
 */
export type BucketPurge = (
  trx: Trx,
  files: Pick<Files, 'release'>,
  scope: Scope,
  bucket_id: string,
) => Promise<OrphanedFile[] | null>

/** Tables of other resources whose rows of a bucket simply go; a test compares this with the database. */
export const BUCKET_TABLES: readonly string[] = [
  'source_adapters',
  'source_adapter_events',
  'source_adapter_objects',
  'sync_items',
]

/** Removes one sync of the bucket with its runs, or a part of them; false: there is none left. */
export async function purgeSyncSlice(trx: Trx, scope: Scope, bucket_id: string): Promise<boolean> {
  const { namespaceId: namespace_id } = scope
  const sync = await trx
    .selectFrom('syncs')
    .select('sync_config_id')
    .where('namespace_id', '=', namespace_id)
    .where('bucket_id', '=', bucket_id)
    .limit(1)
    .executeTakeFirst()
  if (!sync) return false
  const { sync_config_id } = sync
  const open = await trx
    .selectFrom('sync_runs')
    .select('task_id')
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .where('ended_at', 'is', null)
    .execute()
  for (const { task_id } of open) await updateTask(trx, scope, task_id, { status: 'CANCELED' })
  if (await deleteSlice(trx, 'sync_runs', { namespace_id, sync_config_id }, SLICE_ENTRIES)) return true
  await deleteSlice(trx, 'syncs', { namespace_id, sync_config_id }, 1)
  return true
}

/** Removes some rows of those tables; false: there are none left. */
export async function purgeRows(trx: Trx, { namespaceId }: Scope, bucket_id: string): Promise<boolean> {
  for (const table of BUCKET_TABLES)
    if (await deleteSlice(trx, table, { namespace_id: namespaceId, bucket_id }, SLICE_ENTRIES)) return true
  return false
}

/** Everything that belongs to one batch besides its list of objects. */
const BATCH_TABLES = [
  'batch_tier_collections',
  'batch_tiers',
  'batch_logs',
  'row_failures',
  'jobs',
  'batches',
] as const

/** Cancels and removes one batch of the bucket, or a part of it. False: there is none left. */
export async function purgeBatchSlice(trx: Trx, scope: Scope, bucket_id: string): Promise<boolean> {
  const { namespaceId } = scope
  const batch = await trx
    .selectFrom('batches')
    .select(['batch_id', 'status', 'task_id'])
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .limit(1)
    .executeTakeFirst()
  if (!batch) return false
  const { batch_id } = batch
  if (await deleteEntries(trx, namespaceId, batch_id)) return true
  await cancelTasks(trx, scope, batch)
  for (const table of BATCH_TABLES)
    await trx
      .deleteFrom(table as 'batches')
      .where('namespace_id', '=', namespaceId)
      .where('batch_id', '=', batch_id)
      .execute()
  await changeBatchStats(trx, scope, bucket_id, { from: batch.status, to: null })
  return true
}

async function deleteEntries(trx: Trx, namespaceId: string, batch_id: string): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('batch_objects')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('position', 'in', (eb) =>
      eb
        .selectFrom('batch_objects')
        .select('position')
        .where('namespace_id', '=', namespaceId)
        .where('batch_id', '=', batch_id)
        .orderBy('position')
        .limit(SLICE_ENTRIES),
    )
    .executeTakeFirst()
  return numDeletedRows > 0n
}

/** Tasks that have ended stay as they are. */
async function cancelTasks(
  trx: Trx,
  scope: Scope,
  { batch_id, task_id }: { batch_id: string; task_id: string | null },
): Promise<void> {
  const tiers = await trx
    .selectFrom('batch_tiers')
    .select('task_id')
    .where('namespace_id', '=', scope.namespaceId)
    .where('batch_id', '=', batch_id)
    .execute()
  for (const id of [task_id, ...tiers.map((tier) => tier.task_id)])
    if (id !== null) await updateTask(trx, scope, id, { status: 'CANCELED' })
}

/** Removes some objects of the bucket; null: there are none left. Hand the files to `deleteBytes` after the commit. */
export async function purgeObjectSlice(
  trx: Trx,
  files: Pick<Files, 'release'>,
  scope: Scope,
  { bucket_id, task_id }: { bucket_id: string; task_id: string },
): Promise<OrphanedFile[] | null> {
  const { namespaceId } = scope
  const objects = await trx
    .selectFrom('objects')
    .select(['object_id', 'size_bytes'])
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .limit(SLICE_OBJECTS)
    .execute()
  if (objects.length === 0) return null
  const object_ids = objects.map(({ object_id }) => object_id)
  await trx
    .deleteFrom('objects')
    .where('namespace_id', '=', namespaceId)
    .where('object_id', 'in', object_ids)
    .execute()
  const orphans = await files.release(trx, scope, 'object', object_ids)
  await changeObjectStats(trx, scope, bucket_id, {
    added: [],
    removed: objects.map(({ size_bytes }) => size_bytes),
  })
  await advanceTasks(trx, scope, [task_id], { processed: objects.length })
  return orphans
}
