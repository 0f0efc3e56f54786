import { sql } from 'kysely'
import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Job, NewJob } from '../../platform/queue/queue.ts'
import { counted, logTier, trimLog } from './batch-log.ts'
import type { IngestDeps } from './deps.ts'
import { nextSlice, type Slice } from './enumerate.ts'
import { holdRest } from './held-work.ts'
import { type ExtractPayload, JOB_ROWS_MAX, type PlanTierPayload, type TierPayload } from './payloads.ts'
import type { BatchReader, RunningBatch } from './snapshot.ts'
import * as store from './store.ts'
import { knownRows, settleJob, tierJob } from './tiers.ts'

/** Runs of one planning step before its collection is given up. */
const PLAN_ATTEMPTS_MAX = 5

/**
 * Turns the rows of one collection's source into jobs, one slice a run. Its own continuation is put
 * amid the jobs of its slice: workers never run dry, and other batches get their turn in between.
 */
export async function planTier(deps: IngestDeps, batches: BatchReader, job: Job): Promise<void> {
  const scope = scopeOf(job)
  const { collection_id, cursor, ...payload } = job.payload as PlanTierPayload
  const batch = await batches.find(deps.db, scope, job.batch_id!)
  const key = { batch_id: job.batch_id!, tier_num: job.tier_num! }
  if (!batch || !wants(batch, job)) return dropJob(deps, scope, job)
  if (job.attempt > PLAN_ATTEMPTS_MAX) return failPlan(deps, scope, batch, job, key)
  const config = batch.snapshot.collections[collection_id]!
  const exists = await store.collectionExists(deps.db, scope, collection_id)
  const written = { since: batch.rerun_since, before: null, ...payload }
  const slice = exists
    ? await nextSlice(deps.db, scope, batch, { config, tier_num: key.tier_num, cursor, written })
    : null
  await inTransaction(deps.db, async (trx) => {
    await deps.queue.complete(trx, job)
    if (!(await store.touchBatch(trx, scope, batch))) return holdRest(trx, scope, job)
    await startOnce(trx, scope, deps, batch, key, collection_id)
    if (!slice) {
      await skipCollection(trx, scope, deps, batch, key, job.payload as PlanTierPayload)
      await settleJob(trx, scope, deps, batch, key.tier_num)
      return
    }
    if (slice.object_ids) await markInProgress(trx, scope, slice.object_ids)
    const jobs = jobsOf(scope, batch, key.tier_num, { ...payload, collection_id }, slice)
    await deps.queue.enqueue(trx, jobs)
    await logTier(trx, scope, key, [
      `${collection_id}: read ${counted(slice.fetched, 'row')}, ${slice.rows.length} to be processed.`,
    ])
    await trimLog(trx, scope, key)
    await addPlanned(trx, scope, deps, batch, key, collection_id, slice)
    await settleJob(trx, scope, deps, batch, key.tier_num, jobs.length)
  })
  deps.queue.wake()
}

/** The collection was deleted. Rows that progress had counted before do not come. */
async function skipCollection(
  trx: Trx,
  scope: Scope,
  { effects }: IngestDeps,
  batch: RunningBatch,
  key: store.TierKey,
  { collection_id, cursor }: PlanTierPayload,
): Promise<void> {
  await store.updateTierCollection(trx, scope, key, collection_id, 'SKIPPED')
  await logTier(trx, scope, key, [`${collection_id}: skipped, it was deleted.`])
  await dropUnread(trx, scope, effects, batch, key, cursor)
}

/** Takes the rows off the progress that it knew before anybody read them, and that nobody will read. */
async function dropUnread(
  trx: Trx,
  scope: Scope,
  effects: IngestDeps['effects'],
  batch: RunningBatch,
  key: store.TierKey,
  cursor: PlanTierPayload['cursor'],
): Promise<void> {
  if (knownRows(batch, key.tier_num) === 0) return
  const { rows } = await trx
    .selectFrom('batch_objects')
    .select(sql<number>`count(*)`.as('rows'))
    .where('namespace_id', '=', scope.namespaceId)
    .where('batch_id', '=', key.batch_id)
    .where('position', '>', Number(cursor?.after?.[0] ?? -1))
    .executeTakeFirstOrThrow()
  await advance(trx, scope, effects, batch, key, { total: -Number(rows) })
}

/** A fault outside of any row: it counts as one failure, so that tier and batch say what happened. */
async function failPlan(
  deps: IngestDeps,
  scope: Scope,
  batch: RunningBatch,
  job: Job,
  key: store.TierKey,
): Promise<void> {
  const { collection_id, cursor } = job.payload as PlanTierPayload
  const message = job.last_error ?? 'The worker process died while it read the source of the collection.'
  await inTransaction(deps.db, async (trx) => {
    await deps.queue.complete(trx, job)
    if (!(await store.touchBatch(trx, scope, batch))) return holdRest(trx, scope, job)
    await trx
      .insertInto('row_failures')
      .values({
        namespace_id: scope.namespaceId,
        failure_id: newId.failure(),
        ...key,
        collection_id,
        object_id: null,
        document_id: null,
        error_type: 'runtime',
        message,
        stage: 'plan',
        component: 'engine',
        recovery_suggestion: null,
        is_transient: 0,
        failed_at: timestamp(),
        retry_count: 0,
      })
      .execute()
    await store.addCounters(trx, scope, key, collection_id, { rows_failed: 1 })
    await dropUnread(trx, scope, deps.effects, batch, key, cursor)
    await logTier(trx, scope, key, [`${collection_id}: reading its source failed for good: ${message}`])
    await settleJob(trx, scope, deps, batch, key.tier_num)
  })
}

export const scopeOf = ({ organization_id, namespace_id }: Job): Scope => ({
  organizationId: organization_id,
  namespaceId: namespace_id,
})

/** Whether the batch runs, and the job is one of this run. */
export function wants({ status, task_id }: RunningBatch, { payload }: Pick<Job, 'payload'>): boolean {
  if (status !== 'PENDING' && status !== 'IN_PROGRESS') return false
  return ((payload as TierPayload).task_id ?? task_id) === task_id
}

/** Ends a job that its batch does not want; a canceled one keeps the rest of it in mind. */
export function dropJob({ db, queue }: IngestDeps, scope: Scope, job: Job): Promise<void> {
  return inTransaction(db, async (trx) => {
    await queue.complete(trx, job)
    await holdRest(trx, scope, job)
  })
}

async function startOnce(
  trx: Trx,
  scope: Scope,
  { effects }: IngestDeps,
  batch: RunningBatch,
  key: store.TierKey,
  collection_id: string,
): Promise<void> {
  if (!(await store.markStarted(trx, scope, key, collection_id))) return
  const tier = (await store.listTiers(trx, scope, key.batch_id)).find(
    ({ tier_num }) => tier_num === key.tier_num,
  )
  for (const task_id of [batch.task_id, tier?.task_id])
    if (task_id) await effects.updateTask(trx, scope, task_id, { status: 'IN_PROGRESS' })
}

async function markInProgress(
  trx: Trx,
  { namespaceId }: Scope,
  object_ids: readonly string[],
): Promise<void> {
  if (object_ids.length === 0) return
  await trx
    .updateTable('objects')
    .set({ status: 'IN_PROGRESS', error: null })
    .where('namespace_id', '=', namespaceId)
    .where('object_id', 'in', object_ids)
    .where('status', '!=', 'IN_PROGRESS')
    .execute()
}

function jobsOf(
  scope: Scope,
  batch: RunningBatch,
  tier_num: number,
  { collection_id, ...rest }: Omit<PlanTierPayload, 'cursor'>,
  { rows, next }: Slice,
): NewJob[] {
  const jobs: NewJob[] = []
  for (let start = 0; start < rows.length; start += JOB_ROWS_MAX) {
    const payload: ExtractPayload = { collection_id, rows: rows.slice(start, start + JOB_ROWS_MAX) }
    jobs.push(tierJob(scope, batch, tier_num, { kind: 'extract', payload }))
  }
  if (next) {
    const payload: PlanTierPayload = { ...rest, collection_id, cursor: next }
    const continuation = tierJob(scope, batch, tier_num, { kind: 'plan_tier', payload })
    jobs.splice(Math.ceil(jobs.length / 2), 0, continuation)
  }
  return jobs
}

async function addPlanned(
  trx: Trx,
  scope: Scope,
  { effects }: IngestDeps,
  batch: RunningBatch,
  key: store.TierKey,
  collection_id: string,
  { fetched, listed, rows }: Slice,
): Promise<void> {
  await store.addCounters(trx, scope, key, collection_id, {
    source_documents_fetched: fetched,
    documents_after_source_filter: rows.length,
  })
  const known = knownRows(batch, key.tier_num) > 0 ? (listed ?? 0) : 0
  await advance(trx, scope, effects, batch, key, { total: rows.length - known })
}

/** Moves the progress of the batch's task and of the tier's. */
export async function advance(
  trx: Trx,
  scope: Scope,
  effects: IngestDeps['effects'],
  { task_id }: RunningBatch,
  key: store.TierKey,
  by: { processed?: number; total?: number },
): Promise<void> {
  const tier = await trx
    .selectFrom('batch_tiers')
    .select('task_id')
    .where('namespace_id', '=', scope.namespaceId)
    .where('batch_id', '=', key.batch_id)
    .where('tier_num', '=', key.tier_num)
    .executeTakeFirst()
  await effects.advanceTasks(trx, scope, [task_id, ...(tier?.task_id ? [tier.task_id] : [])], by)
}
