import type { OrganizationScope, Scope } from '../../core/scope.ts'
import { isTerminal, TERMINAL_STATUSES } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import { logTier } from '../../engine/ingest/batch-log.ts'
import { hold, takeJobs } from '../../engine/ingest/held-work.ts'
import { listTiers } from '../../engine/ingest/store.ts'
import type { Trx } from '../../platform/db/db.ts'
import { changeBatchStats } from '../buckets/index.ts'
import { type CancelTask, type TaskRow, updateTask } from '../tasks/index.ts'
import * as store from './store.ts'

/**
 * Stops a batch: waiting jobs are held back for a retry, running ones stop at their next row and commit
 * what they have. Documents that are written stay. A batch that has ended is left alone.
 */
export async function cancelBatch(trx: Trx, scope: Scope, batch_id: string): Promise<void> {
  const batch = await store.findBatch(trx, scope, { batch_id }, { lock: true })
  if (isTerminal(batch.status) || batch.task_id === null) return
  const now = timestamp()
  await store.updateBatch(trx, scope, batch_id, { status: 'CANCELED', completed_at: now, rerun_since: null })
  for (const table of ['batch_tier_collections', 'batch_tiers'] as const) {
    await trx
      .updateTable(table)
      .set({ status: 'CANCELED', completed_at: now })
      .where('namespace_id', '=', scope.namespaceId)
      .where('batch_id', '=', batch_id)
      .where('status', 'not in', TERMINAL_STATUSES)
      .execute()
  }
  const key = { batch_id, tier_num: batch.current_tier ?? 0 }
  await hold(trx, scope, key, await takeJobs(trx, scope, batch_id, 'waiting'))
  const tiers = await listTiers(trx, scope, batch_id)
  for (const { tier_num, completed_at } of tiers)
    if (completed_at === now) await logTier(trx, scope, { batch_id, tier_num }, ['Canceled.'])
  for (const task_id of [batch.task_id, ...tiers.map((tier) => tier.task_id)])
    if (task_id !== null) await updateTask(trx, scope, task_id, { status: 'CANCELED' })
  await store.setObjectStatuses(trx, scope, batch_id, { from: ['PENDING', 'IN_PROGRESS'], to: 'DRAFT' })
  await changeBatchStats(trx, scope, batch.bucket_id, { from: batch.status, to: 'CANCELED' })
}

/** How the tasks of batches and of their tiers are killed: with the batch. */
export const cancelTaskOfBatch: Record<string, CancelTask> = {
  api_buckets_batches_process: cancelByTask,
  engine_feature_extractor_run: cancelByTask,
}

async function cancelByTask(
  trx: Trx,
  { organizationId }: OrganizationScope,
  { namespace_id, additional_data }: TaskRow,
): Promise<void> {
  const { batch_id } = JSON.parse(additional_data) as { batch_id: string }
  if (namespace_id !== null) await cancelBatch(trx, { organizationId, namespaceId: namespace_id }, batch_id)
}
