import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import { counted, logTier } from '../../engine/ingest/batch-log.ts'
import { countHeldRows, hold, readHeld, takeJobs } from '../../engine/ingest/held-work.ts'
import { addCounters, listTiers } from '../../engine/ingest/store.ts'
import { type RetryRows, startTier, type TierDeps } from '../../engine/ingest/tiers.ts'
import type { Trx } from '../../platform/db/db.ts'
import { inParts } from '../../platform/derived-index/parts.ts'
import { changeBatchStats } from '../buckets/index.ts'
import { insertTask } from '../tasks/index.ts'
import type { RetryBatchBody, RetryBatchResponse } from './schemas.ts'
import * as store from './store.ts'

type Failure = {
  failure_id: string
  tier_num: number
  collection_id: string
  object_id: string | null
  document_id: string | null
  stage: string
  is_transient: number
  retry_count: number
}

/**
 * Reopens an ended batch for those of its failed rows that the request means, and for all that a
 * cancellation kept from running; without any it stays as it is.
 */
export async function retryFailures(
  trx: Trx,
  scope: Scope,
  deps: TierDeps,
  batch: store.BatchRow,
  body: RetryBatchBody,
): Promise<RetryBatchResponse> {
  const failures = await listFailures(trx, scope, batch.batch_id)
  const chosen = failures.filter((failure) => isChosen(failure, body))
  const rows = Map.groupBy(chosen, ({ tier_num }) => tier_num)
  const retried_count = [...rows.values()].reduce((sum, some) => sum + countRows(some), 0)
  const counts = { retried_count, skipped_count: failures.length - chosen.length }
  const { batch_id } = batch
  const cut = await cutTier(trx, scope, batch)
  if (retried_count === 0 && cut === null) {
    const status = batch.status as TaskStatus
    return { batch_id, status, ...counts, message: 'No failed rows match the request.' }
  }
  const left = cut === null ? 0 : await takeLeft(trx, scope, batch, cut)
  const task_id = await reopen(trx, scope, batch, retried_count + left)
  const first = Math.min(...rows.keys(), cut ?? Number.POSITIVE_INFINITY)
  await resetTiers(trx, scope, batch_id, first)
  for (const [tier_num, some] of rows) await takeBack(trx, scope, { batch_id, tier_num }, some)
  await markObjects(trx, scope, chosen)
  const snapshot = await store.readSnapshot(trx, scope, batch_id)
  const running = { ...batch, status: 'IN_PROGRESS', task_id, rerun_since: timestamp(), snapshot }
  const { rerun_since } = running
  await store.updateBatch(trx, scope, batch_id, { rerun_since, progress_at: rerun_since })
  await logTier(trx, scope, { batch_id, tier_num: first }, [
    `Retried as task ${task_id}: ${counted(retried_count, 'failed row')}${cut === null ? '' : `, and on from where it was canceled`}.`,
  ])
  await startTier(trx, scope, deps, running, first)
  return {
    batch_id,
    status: 'IN_PROGRESS',
    task_id,
    ...counts,
    message: `Retrying ${counted(retried_count, 'failed row')}${cut === null ? '' : '; what was canceled goes on'}.`,
  }
}

/**
 * The tier in which a canceled batch goes on, which is the one after the last when all of them had
 * ended; null for a batch that was not canceled, or before the work of those was kept.
 */
async function cutTier(trx: Trx, scope: Scope, { batch_id, status }: store.BatchRow): Promise<number | null> {
  if (status !== 'CANCELED') return null
  const tiers = await listTiers(trx, scope, batch_id)
  if (tiers.every(({ held_jobs }) => held_jobs === null)) return null
  return tiers.find((tier) => tier.status === 'CANCELED')?.tier_num ?? tiers.length
}

/**
 * Takes over what the canceled run had not done, also from jobs that have not noticed the cancellation
 * yet: those can commit nothing any more. Returns how many of its rows are known.
 */
async function takeLeft(trx: Trx, scope: Scope, batch: store.BatchRow, tier_num: number): Promise<number> {
  const { batch_id, submitted_at } = batch
  const running = await takeJobs(trx, scope, batch_id, 'running')
  await hold(trx, scope, { batch_id, tier_num }, running)
  // What a client has changed since it submitted the batch stays a draft.
  await store.setObjectStatuses(trx, scope, batch_id, {
    from: ['DRAFT'],
    to: 'IN_PROGRESS',
    unchanged_since: submitted_at,
  })
  const tier = (await listTiers(trx, scope, batch_id)).find((one) => one.tier_num === tier_num)
  return countHeldRows(readHeld(tier?.held_jobs ?? null))
}

function listFailures(trx: Trx, { namespaceId }: Scope, batch_id: string): Promise<Failure[]> {
  return trx
    .selectFrom('row_failures')
    .select([
      'failure_id',
      'tier_num',
      'collection_id',
      'object_id',
      'document_id',
      'stage',
      'is_transient',
      'retry_count',
    ])
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .execute()
}

function isChosen(failure: Failure, { retry_mode, tier_nums, max_retry_count }: RetryBatchBody): boolean {
  if (rowId(failure) === null) return false
  if (retry_mode === 'transient_only' && failure.is_transient !== 1) return false
  if (tier_nums && tier_nums.length > 0 && !tier_nums.includes(failure.tier_num)) return false
  return failure.retry_count < max_retry_count
}

/** The row of a failure; faults outside of rows have none. */
const rowId = ({ document_id, object_id }: Failure) => document_id ?? object_id

const countRows = (failures: readonly Failure[]) =>
  new Set(failures.map((failure) => `${failure.collection_id} ${rowId(failure)}`)).size

/** An ended task is final, so what runs again has a task of its own. */
async function reopen(trx: Trx, scope: Scope, batch: store.BatchRow, total: number): Promise<string> {
  const { batch_id, bucket_id, total_tiers } = batch
  const task_id = newId.task()
  await insertTask(trx, scope, {
    task_type: 'api_buckets_batches_process',
    task_id,
    namespace_id: scope.namespaceId,
    status: 'IN_PROGRESS',
    inputs: [batch_id],
    additional_data: {
      batch_id,
      bucket_id,
      namespace_id: scope.namespaceId,
      total_tiers,
      retry_of: batch.task_id,
    },
    total,
  })
  await store.updateBatch(trx, scope, batch_id, {
    status: 'IN_PROGRESS',
    task_id,
    error: null,
    completed_at: null,
  })
  await changeBatchStats(trx, scope, bucket_id, { from: batch.status, to: 'IN_PROGRESS' })
  return task_id
}

/** The first tier that has rows to retry and all later ones run again; their counters go on from where they are. */
async function resetTiers(trx: Trx, { namespaceId }: Scope, batch_id: string, first: number): Promise<void> {
  for (const table of ['batch_tier_collections', 'batch_tiers'] as const) {
    await trx
      .updateTable(table)
      .set({ status: 'PENDING', completed_at: null })
      .where('namespace_id', '=', namespaceId)
      .where('batch_id', '=', batch_id)
      .where('tier_num', '>=', first)
      .execute()
  }
}

/** Takes failures back from the counters and leaves their rows to the start of the tier. */
async function takeBack(
  trx: Trx,
  scope: Scope,
  key: { batch_id: string; tier_num: number },
  failures: readonly Failure[],
): Promise<void> {
  const retry: RetryRows = {}
  for (const [collection_id, own] of Map.groupBy(failures, (failure) => failure.collection_id)) {
    const counts = Object.fromEntries(own.map((failure) => [rowId(failure)!, failure.retry_count + 1]))
    retry[collection_id] = counts
    const rows = -Object.keys(counts).length
    await addCounters(trx, scope, key, collection_id, {
      documents_submitted_to_engine: rows,
      rows_done: rows,
      rows_failed: rows,
    })
  }
  for (const ids of inParts(failures.map(({ failure_id }) => failure_id))) {
    await trx
      .deleteFrom('row_failures')
      .where('namespace_id', '=', scope.namespaceId)
      .where('failure_id', 'in', ids)
      .execute()
  }
  await trx
    .updateTable('batch_tiers')
    .set({ retry_rows: JSON.stringify(retry) })
    .where('namespace_id', '=', scope.namespaceId)
    .where('batch_id', '=', key.batch_id)
    .where('tier_num', '=', key.tier_num)
    .execute()
}

async function markObjects(trx: Trx, { namespaceId }: Scope, failures: readonly Failure[]): Promise<void> {
  const ids = [...new Set(failures.flatMap(({ object_id }) => object_id ?? []))]
  for (const some of inParts(ids)) {
    await trx
      .updateTable('objects')
      .set({ status: 'IN_PROGRESS', error: null })
      .where('namespace_id', '=', namespaceId)
      .where('object_id', 'in', some)
      .execute()
  }
}
