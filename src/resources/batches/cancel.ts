import type { Scope } from '../../core/scope.ts'
import { isTerminal, TERMINAL_STATUSES } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import { listTiers } from '../../engine/ingest/store.ts'
import type { Trx } from '../../platform/db/db.ts'
import { changeBatchStats } from '../buckets/index.ts'
import { updateTask } from '../tasks/index.ts'
import * as store from './store.ts'

/**
 * Stops a batch: waiting jobs go, running ones stop at their next row and commit what they have.
 * Documents that are written stay. A batch that has ended is left alone.
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
  await trx
    .deleteFrom('jobs')
    .where('namespace_id', '=', scope.namespaceId)
    .where('batch_id', '=', batch_id)
    .where('status', '=', 'queued')
    .execute()
  const tiers = await listTiers(trx, scope, batch_id)
  for (const task_id of [batch.task_id, ...tiers.map((tier) => tier.task_id)])
    if (task_id !== null) await updateTask(trx, scope, task_id, { status: 'CANCELED' })
  await store.setObjectStatuses(trx, scope, batch_id, { from: ['PENDING', 'IN_PROGRESS'], to: 'DRAFT' })
  await changeBatchStats(trx, scope, batch.bucket_id, { from: batch.status, to: 'CANCELED' })
}
