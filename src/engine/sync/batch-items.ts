import type { Scope } from '../../core/scope.ts'
import type { Trx } from '../../platform/db/db.ts'
import type { SyncEffects } from './deps.ts'
import { itemsToBatch, markBatched } from './items.ts'
import { findRun, type RunRow, type SyncRow, updateRun, updateSync } from './runs.ts'
import type { SyncSettings } from './settings.ts'

/**
 * Makes and submits one batch of objects that none holds yet, in one transaction with their marks.
 * Returns how many items it took; objects of buckets that no collection reads are marked all the same.
 */
export async function batchItems(
  trx: Trx,
  scope: Scope,
  effects: SyncEffects,
  { sync, run, settings }: { sync: SyncRow; run: RunRow; settings: SyncSettings },
): Promise<number> {
  const items = await itemsToBatch(trx, sync, settings.batch_chunk_size)
  if (items.length === 0) return 0
  const object_ids = [...new Set(items.flatMap(({ object_id }) => object_id ?? []))]
  if (!settings.skip_batch_submission && object_ids.length > 0) {
    const batch = await effects.submitBatch(trx, scope, sync.bucket_id, object_ids)
    if (batch) await recordBatch(trx, scope, { sync, run }, batch.batch_id)
  }
  await markBatched(
    trx,
    sync,
    items.map(({ item_hash }) => item_hash),
  )
  return items.length
}

async function recordBatch(
  trx: Trx,
  scope: Scope,
  { sync, run }: { sync: SyncRow; run: RunRow },
  batch_id: string,
): Promise<void> {
  const current = await findRun(trx, scope, sync.sync_config_id, run.run_id)
  const batch_ids = [...(JSON.parse(current?.batch_ids ?? '[]') as string[]), batch_id]
  await updateRun(trx, run, { batch_ids: JSON.stringify(batch_ids) })
  const row = await trx
    .selectFrom('syncs')
    .select('batches_created')
    .where('namespace_id', '=', sync.namespace_id)
    .where('sync_config_id', '=', sync.sync_config_id)
    .executeTakeFirst()
  await updateSync(trx, sync, { batches_created: (row?.batches_created ?? 0) + 1 })
}
