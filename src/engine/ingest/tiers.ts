import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import type { Trx } from '../../platform/db/db.ts'
import { inParts } from '../../platform/derived-index/parts.ts'
import type { JobQueue, NewJob } from '../../platform/queue/queue.ts'
import { logTier } from './batch-log.ts'
import type { Effects } from './deps.ts'
import { countHeldRows, type HeldJob, readHeld } from './held-work.ts'
import { collectionOutcome, tierOutcome } from './outcome.ts'
import {
  type ExtractPayload,
  type FinishBatchPayload,
  JOB_ROWS_MAX,
  type PlanTierPayload,
  type TierPayload,
} from './payloads.ts'
import type { RunningBatch } from './snapshot.ts'
import * as store from './store.ts'

export type TierDeps = { queue: JobQueue; effects: Effects }

/**
 * Starts a tier, or the first one after it that has something to run; when none has, the batch is
 * handed to its last job. Collections whose sources all failed in this batch are skipped.
 */
export async function startTier(
  trx: Trx,
  scope: Scope,
  deps: TierDeps,
  batch: RunningBatch,
  first: number,
): Promise<void> {
  const { tiers } = batch.snapshot
  for (let tier_num = first; tier_num < tiers.length; tier_num++) {
    const key = { batch_id: batch.batch_id, tier_num }
    const runnable = await runnableCollections(trx, scope, batch, key)
    if (runnable.length > 0) return openTier(trx, scope, deps, batch, key, runnable)
    await store.updateTier(trx, scope, key, { status: 'SKIPPED' })
    await logTier(trx, scope, key, ['Skipped: nothing of its sources was written.'])
  }
  await enqueueFinish(trx, scope, deps, batch)
}

async function runnableCollections(
  trx: Trx,
  scope: Scope,
  { batch_id, snapshot }: RunningBatch,
  key: store.TierKey,
): Promise<string[]> {
  const ids = snapshot.tiers[key.tier_num]!
  if (key.tier_num === 0) return ids
  const ran = await store.listTierCollections(trx, scope, batch_id)
  const ended = new Map(ran.map(({ collection_id, status }) => [collection_id, status]))
  const runnable: string[] = []
  for (const id of ids) {
    const sources = sourcesInBatch(snapshot.collections[id]!, ended)
    const isLost = sources.every((source) => ['FAILED', 'SKIPPED'].includes(ended.get(source)!))
    if (isLost) await store.updateTierCollection(trx, scope, key, id, 'SKIPPED')
    else runnable.push(id)
  }
  return runnable
}

/** The sources of a collection that run in the same batch. */
export function sourcesInBatch(
  { source }: { source: { collection_ids?: string[] } },
  inBatch: { has(collection_id: string): boolean },
): string[] {
  return (source.collection_ids ?? []).filter((id) => inBatch.has(id))
}

async function openTier(
  trx: Trx,
  scope: Scope,
  { queue, effects }: TierDeps,
  batch: RunningBatch,
  key: store.TierKey,
  collection_ids: readonly string[],
): Promise<void> {
  const { batch_id, task_id: batch_task_id, snapshot } = batch
  const parent_task_id = await parentTask(trx, scope, key)
  const jobs = await firstJobs(trx, scope, batch, key, collection_ids)
  const task_id = newId.tierTask()
  await effects.insertTask(trx, scope, {
    task_type: 'engine_feature_extractor_run',
    task_id,
    namespace_id: scope.namespaceId,
    inputs: [batch_id],
    additional_data: { batch_id, tier_num: key.tier_num, parent_task_id, collection_ids },
    total: knownRows(batch, key.tier_num) * collection_ids.length || countHeldRows(jobs) || null,
  })
  await logTier(trx, scope, key, [`Started as task ${task_id}: ${named(batch, collection_ids)}.`])
  await store.updateTier(trx, scope, key, {
    task_id,
    parent_task_id,
    jobs_open: jobs.length,
    retry_rows: null,
    held_jobs: null,
    // A batch that runs again has been in progress before.
    ...(batch.rerun_since !== null && { status: 'IN_PROGRESS' }),
  })
  if (batch.rerun_since !== null) await effects.updateTask(trx, scope, task_id, { status: 'IN_PROGRESS' })
  await trx
    .updateTable('batches')
    .set({ current_tier: key.tier_num })
    .where('namespace_id', '=', scope.namespaceId)
    .where('batch_id', '=', batch_id)
    .execute()
  await effects.updateTask(trx, scope, batch_task_id, {
    additional_data: { current_tier: key.tier_num, total_tiers: snapshot.tiers.length },
  })
  await queue.enqueue(trx, jobs)
  // A tier that was canceled may have had nothing left but its end.
  if (jobs.length === 0) await endTier(trx, scope, { queue, effects }, batch, key)
}

/**
 * Rows that a collection of the tier will see, when that is known before anybody has looked: progress
 * then has its whole length from the start. Planning corrects it by what filters keep out.
 */
export function knownRows({ type, object_count, rerun_since }: RunningBatch, tier_num: number): number {
  return type === 'BUCKET' && tier_num === 0 && rerun_since === null ? object_count : 0
}

const named = ({ snapshot }: RunningBatch, ids: readonly string[]) =>
  ids.map((id) => `${snapshot.collections[id]!.collection_name} (${id})`).join(', ')

/** Each collection looks for its rows. When failed rows are retried they run too, and tier 0 looks for no others. */
async function firstJobs(
  trx: Trx,
  scope: Scope,
  batch: RunningBatch,
  key: store.TierKey,
  collection_ids: readonly string[],
): Promise<NewJob[]> {
  const { tier_num } = key
  const tiers = await store.listTiers(trx, scope, key.batch_id)
  const tier = tiers.find((one) => one.tier_num === tier_num)
  // A tier that a cancellation kept from its start reads everything; one that ran before, what is new.
  const since = tier?.task_id ? batch.rerun_since : null
  const plan = (collection_id: string) => {
    const payload: PlanTierPayload = { collection_id, cursor: null, since }
    return tierJob(scope, batch, tier_num, { kind: 'plan_tier', payload })
  }
  const isFirstAgain = batch.rerun_since !== null && tier_num === 0
  const plans = isFirstAgain ? [] : collection_ids.map(plan)
  if (batch.rerun_since === null) return plans
  const retry = JSON.parse(tier?.retry_rows ?? '{}') as RetryRows
  const retries = Object.entries(retry).flatMap(([collection_id, retry_counts]) =>
    [...inParts(Object.keys(retry_counts), JOB_ROWS_MAX)].map((rows) => {
      const payload: ExtractPayload = { collection_id, rows, retry_counts }
      return tierJob(scope, batch, tier_num, { kind: 'extract', payload })
    }),
  )
  const held = readHeld(tier?.held_jobs ?? null).map((job) =>
    tierJob(scope, batch, tier_num, goesOn(job, since)),
  )
  return [...plans, ...retries, ...held]
}

/** What a cancellation cut off goes on where it was; what was written since is read by a job of its own. */
function goesOn({ kind, payload }: HeldJob, rerun_since: string | null): HeldJob {
  if (kind !== 'plan_tier') return { kind, payload }
  const { before = null } = payload as PlanTierPayload
  return { kind, payload: { ...payload, before: before ?? rerun_since } as PlanTierPayload }
}

/** Retry counts by row id, by collection. */
export type RetryRows = Record<string, Record<string, number>>

export function tierJob(
  { organizationId, namespaceId }: Scope,
  { batch_id, task_id, priority }: Pick<RunningBatch, 'batch_id' | 'task_id' | 'priority'>,
  tier_num: number | null,
  { kind, payload }: { kind: NewJob['kind']; payload: TierPayload },
): NewJob {
  return {
    kind,
    payload: { ...payload, task_id },
    organization_id: organizationId,
    namespace_id: namespaceId,
    batch_id,
    tier_num,
    priority,
  }
}

async function parentTask(trx: Trx, scope: Scope, key: store.TierKey): Promise<string | null> {
  const tiers = await store.listTiers(trx, scope, key.batch_id)
  return (
    tiers.findLast(({ tier_num, task_id }) => tier_num < key.tier_num && task_id !== null)?.task_id ?? null
  )
}

/** Takes an ended job off its tier, adds those that it made, and ends the tier when none is left. */
export async function settleJob(
  trx: Trx,
  scope: Scope,
  deps: TierDeps,
  batch: RunningBatch,
  tier_num: number,
  jobs_made = 0,
): Promise<void> {
  const key = { batch_id: batch.batch_id, tier_num }
  if ((await store.addOpenJobs(trx, scope, key, jobs_made - 1)) === 0)
    await endTier(trx, scope, deps, batch, key)
}

async function endTier(
  trx: Trx,
  scope: Scope,
  deps: TierDeps,
  batch: RunningBatch,
  key: store.TierKey,
): Promise<void> {
  const all = await store.listTierCollections(trx, scope, batch.batch_id)
  const collections = all.filter(({ tier_num }) => tier_num === key.tier_num)
  for (const one of collections)
    await store.updateTierCollection(trx, scope, key, one.collection_id, collectionOutcome(one))
  const status = tierOutcome(collections)
  await store.updateTier(trx, scope, key, { status })
  await logTier(trx, scope, key, [`Ended ${status}.`])
  const tier = (await store.listTiers(trx, scope, key.batch_id)).find((one) => one.tier_num === key.tier_num)
  if (tier?.task_id)
    await deps.effects.updateTask(trx, scope, tier.task_id, {
      status,
      ...(status === 'FAILED' && { error: await firstFailure(trx, scope, key) }),
    })
  if (status === 'FAILED') await skipFrom(trx, scope, deps, batch, key.tier_num + 1)
  else await startTier(trx, scope, deps, batch, key.tier_num + 1)
}

/** After a tier without any result the rest has nothing to read. */
async function skipFrom(
  trx: Trx,
  scope: Scope,
  deps: TierDeps,
  batch: RunningBatch,
  first: number,
): Promise<void> {
  for (const table of ['batch_tiers', 'batch_tier_collections'] as const) {
    await trx
      .updateTable(table)
      .set({ status: 'SKIPPED' })
      .where('namespace_id', '=', scope.namespaceId)
      .where('batch_id', '=', batch.batch_id)
      .where('tier_num', '>=', first)
      .execute()
  }
  for (let tier_num = first; tier_num < batch.snapshot.tiers.length; tier_num++)
    await logTier(trx, scope, { batch_id: batch.batch_id, tier_num }, ['Skipped: the tier before it failed.'])
  await enqueueFinish(trx, scope, deps, batch)
}

async function enqueueFinish(trx: Trx, scope: Scope, { queue }: TierDeps, batch: RunningBatch) {
  const payload: FinishBatchPayload = { cursor: null }
  // Ahead of other work: only bookkeeping is left, and somebody waits for it.
  const ahead = { ...batch, priority: batch.priority + 1 }
  await queue.enqueue(trx, [tierJob(scope, ahead, null, { kind: 'finish_batch', payload })])
}

/** The message of the failure that a tier met first. */
export async function firstFailure(
  trx: Trx,
  { namespaceId }: Scope,
  key: store.TierKey,
): Promise<string | null> {
  const row = await trx
    .selectFrom('row_failures')
    .select('message')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', key.batch_id)
    .where('tier_num', '=', key.tier_num)
    .orderBy('failed_at')
    .orderBy('failure_id')
    .limit(1)
    .executeTakeFirst()
  return row?.message ?? null
}
