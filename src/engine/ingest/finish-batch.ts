import type { Scope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import { inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Job } from '../../platform/queue/queue.ts'
import { logTier } from './batch-log.ts'
import type { IngestDeps } from './deps.ts'
import { batchOutcome } from './outcome.ts'
import type { FinishBatchPayload } from './payloads.ts'
import { scopeOf, wants } from './plan-tier.ts'
import type { BatchReader, RunningBatch } from './snapshot.ts'
import * as store from './store.ts'
import { firstFailure } from './tiers.ts'

/** Objects whose state one transaction settles. */
const OBJECTS_MAX = 1000

/** The last job of a batch: gives its objects their final state, slice by slice, then ends batch and task. */
export async function finishBatch(deps: IngestDeps, batches: BatchReader, job: Job): Promise<void> {
  const scope = scopeOf(job)
  const batch = await batches.find(deps.db, scope, job.batch_id!)
  const { cursor } = job.payload as FinishBatchPayload
  await inTransaction(deps.db, async (trx) => {
    await deps.queue.complete(trx, job)
    if (!batch || !wants(batch, job) || !(await store.touchBatch(trx, scope, batch))) return
    const next = await settleObjects(trx, scope, batch, cursor)
    if (next === null) return endBatch(trx, scope, deps, batch)
    const payload: FinishBatchPayload = { cursor: next, task_id: batch.task_id }
    await deps.queue.enqueue(trx, [{ ...job, payload }])
  })
  deps.queue.wake()
}

/** Returns the position to go on after, or null when all objects are settled. */
async function settleObjects(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, snapshot }: RunningBatch,
  cursor: number | null,
): Promise<number | null> {
  const rows = await trx
    .selectFrom('batch_objects')
    .select(['position', 'object_id'])
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('position', '>', cursor ?? -1)
    .orderBy('position')
    .limit(OBJECTS_MAX)
    .execute()
  if (rows.length === 0) return null
  const ids = rows.map(({ object_id }) => object_id)
  const failures = await trx
    .selectFrom('row_failures')
    .select(['object_id', 'tier_num', 'collection_id', 'message'])
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('object_id', 'in', ids)
    .orderBy('failed_at')
    .execute()
  const groups = Map.groupBy(failures, ({ object_id }) => object_id!)
  const firstTier = snapshot.tiers[0]!.length
  const failed = ids.filter((id) => hasFailed(groups.get(id) ?? [], firstTier))
  const partial = ids.filter((id) => groups.has(id) && !failed.includes(id))
  const done = ids.filter((id) => !groups.has(id))
  await setStatus(trx, namespaceId, done, 'COMPLETED')
  for (const id of failed) await setStatus(trx, namespaceId, [id], 'FAILED', groups.get(id)![0]!.message)
  for (const id of partial)
    await setStatus(trx, namespaceId, [id], 'COMPLETED_WITH_ERRORS', groups.get(id)![0]!.message)
  return rows.length < OBJECTS_MAX ? null : rows.at(-1)!.position
}

type Failure = { tier_num: number; collection_id: string }

/** An object has failed when every collection that reads it directly failed on it. */
function hasFailed(failures: readonly Failure[], collections: number): boolean {
  const first = failures.filter(({ tier_num }) => tier_num === 0)
  return new Set(first.map(({ collection_id }) => collection_id)).size >= collections
}

async function setStatus(
  trx: Trx,
  namespaceId: string,
  object_ids: readonly string[],
  status: TaskStatus,
  error: string | null = null,
): Promise<void> {
  if (object_ids.length === 0) return
  await trx
    .updateTable('objects')
    .set({ status, error })
    .where('namespace_id', '=', namespaceId)
    .where('object_id', 'in', object_ids)
    // An object that was changed meanwhile is a DRAFT again.
    .where('status', 'in', ['PENDING', 'IN_PROGRESS'])
    .execute()
}

async function endBatch(trx: Trx, scope: Scope, deps: IngestDeps, batch: RunningBatch): Promise<void> {
  const { batch_id, bucket_id, task_id } = batch
  const tiers = await store.listTiers(trx, scope, batch_id)
  const status = batchOutcome(tiers.map((tier) => tier.status))
  const failed = tiers.find((tier) => tier.status === 'FAILED')
  const message = failed && (await firstFailure(trx, scope, failed))
  const error = failed ? `Tier ${failed.tier_num} failed: ${message ?? 'see its errors'}` : null
  const now = timestamp()
  await trx
    .updateTable('batches')
    .set({ status, error, rerun_since: null, completed_at: now, updated_at: now })
    .where('namespace_id', '=', scope.namespaceId)
    .where('batch_id', '=', batch_id)
    .execute()
  const last = tiers.findLast((tier) => tier.status !== 'SKIPPED') ?? tiers[0]!
  await logTier(trx, scope, last, [`The batch ended ${status}${error ? `: ${error}` : '.'}`])
  await deps.effects.updateTask(trx, scope, task_id, { status, error })
  await deps.effects.changeBatchStats(trx, scope, bucket_id, { from: 'IN_PROGRESS', to: status })
}
