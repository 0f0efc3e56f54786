import type { Scope } from '../../core/scope.ts'
import { RowError } from '../../extractors/extractor.ts'
import { inTransaction } from '../../platform/db/db.ts'
import type { Job } from '../../platform/queue/queue.ts'
import { counted, logTier } from './batch-log.ts'
import { commitRows } from './commit-rows.ts'
import type { IngestDeps } from './deps.ts'
import { holdRest } from './held-work.ts'
import type { ExtractPayload } from './payloads.ts'
import { dropJob, scopeOf, wants } from './plan-tier.ts'
import {
  failedRow,
  type MappedRow,
  mapRow,
  nextRun,
  processRows,
  type RowContext,
  type RowResult,
} from './process-rows.ts'
import { loadDocuments, loadObjects, type SourceRow } from './rows.ts'
import type { BatchReader, RunningBatch } from './snapshot.ts'
import * as store from './store.ts'
import { settleJob, tierJob } from './tiers.ts'
import { copiedVectors, indexSpecs } from './vector-specs.ts'

/** Workers that a single row may take down before it is given up. */
export const ROW_DEATHS_MAX = 3
/** What is done is committed at least this often, so that little is lost with a worker. */
const COMMIT_MS = 5000
const COMMIT_DOCUMENTS = 2000
/** How soon a running job notices that its batch was canceled. */
const CANCEL_POLL_MS = 500

/** The reason of an abort after which the results so far are kept. */
export class CanceledError extends Error {}

/** Runs the extractor of one collection over some rows of a tier and commits what comes of it. */
export async function extractRows(
  deps: IngestDeps,
  batches: BatchReader,
  job: Job,
  signal: AbortSignal,
): Promise<void> {
  const scope = scopeOf(job)
  const { collection_id, rows } = job.payload as ExtractPayload
  const batch = await batches.find(deps.db, scope, job.batch_id!)
  if (!batch || !wants(batch, job)) return dropJob(deps, scope, job)
  if (job.attempt > 1 && rows.length > 1) return splitJob(deps, scope, batch, job)
  if (job.attempt > ROW_DEATHS_MAX) return giveUp(deps, scope, batch, job)
  if (!(await store.collectionExists(deps.db, scope, collection_id)))
    return commitRows(deps, {
      scope,
      job,
      batch,
      results: [],
      indexes: new Map(),
      elapsed_ms: 0,
      remaining: [],
      undone: rows,
    })
  const watch = watchForCancel(deps, batches, scope, job, signal)
  try {
    await runRows(deps, scope, batch, job, watch.signal)
  } finally {
    watch.stop()
  }
  deps.queue.wake()
}

async function runRows(
  deps: IngestDeps,
  scope: Scope,
  batch: RunningBatch,
  job: Job,
  signal: AbortSignal,
): Promise<void> {
  const { collection_id, rows: ids } = job.payload as ExtractPayload
  const config = batch.snapshot.collections[collection_id]!
  const { feature_extractor_name: name, version } = config.feature_extractor
  const extractor = deps.extractors.find(name, version)
  if (!extractor) return failAll(deps, scope, batch, job, ids, missingExtractor(name, version))
  const isFromObjects = job.tier_num === 0 && batch.type === 'BUCKET'
  const { batch_id } = batch
  const loaded = isFromObjects
    ? await loadObjects(deps.db, scope, ids, batch_id)
    : await loadDocuments(deps.db, scope, ids, { batch_id, upstream_in_batch: job.tier_num! > 0 })
  const copied = await copiedVectors(deps.db, scope, config, extractor, loaded)
  const context: RowContext = {
    scope,
    signal,
    config,
    extractor,
    batch_id,
    tier_num: job.tier_num!,
    include_processing_history: batch.snapshot.include_processing_history,
    copiedVectors: copied.of,
  }
  const indexes = () => new Map([...copied.specs, ...indexSpecs(config, extractor, deps.models)])
  let results = goneRows(ids, loaded, isFromObjects)
  let waiting = loaded.map((row) => mapRow(context, row))
  let documents = 0
  let committed_at = performance.now()
  const commit = async (remaining: readonly string[], undone: readonly string[] = []) => {
    const elapsed_ms = performance.now() - committed_at
    const rest = { remaining, undone }
    await commitRows(deps, { scope, job, batch, results, indexes: indexes(), elapsed_ms, ...rest })
    results = []
    documents = 0
    committed_at = performance.now()
  }
  while (waiting.length > 0) {
    const run = nextRun(context, waiting)
    const done = await unlessCanceled(signal, () => processRows(deps, context, run))
    if (!done) break
    results.push(...done)
    documents += done.reduce((sum, { drafts }) => sum + (drafts?.length ?? 0), 0)
    waiting = waiting.slice(run.length)
    const isDue = documents >= COMMIT_DOCUMENTS || performance.now() - committed_at > COMMIT_MS
    if (isDue && waiting.length > 0) await commit(rowIds(waiting))
  }
  await commit([], rowIds(waiting))
}

const rowIds = (rows: readonly MappedRow[]) => rows.map(({ row }) => row.row_id)

/** Null after a cancellation: what was done before it is kept. Other aborts (a lost lease, a stop) throw. */
async function unlessCanceled<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
  try {
    signal.throwIfAborted()
    return await work()
  } catch (error) {
    if (signal.aborted && signal.reason instanceof CanceledError) return null
    throw error
  }
}

function watchForCancel(
  { db, log }: IngestDeps,
  batches: BatchReader,
  scope: Scope,
  job: Job,
  outer: AbortSignal,
) {
  const batch_id = job.batch_id!
  const controller = new AbortController()
  const look = async () => {
    try {
      const batch = await batches.find(db, scope, batch_id)
      if (!batch || !wants(batch, job)) controller.abort(new CanceledError('The batch was canceled.'))
    } catch (err) {
      // The commit at the end decides; this look only saves work.
      log.warn({ err, batch_id }, 'Could not look whether the batch was canceled.')
    }
  }
  const timer = setInterval(() => void look(), CANCEL_POLL_MS)
  return { signal: AbortSignal.any([outer, controller.signal]), stop: () => clearInterval(timer) }
}

/** Sources that went away between planning and now. */
function goneRows(ids: readonly string[], loaded: readonly SourceRow[], isFromObjects: boolean): RowResult[] {
  if (loaded.length === ids.length) return []
  const found = new Set(loaded.map(({ row_id }) => row_id))
  const what = isFromObjects ? 'object' : 'upstream document'
  return ids
    .filter((id) => !found.has(id))
    .map((id) =>
      failedRow(id, null, new RowError('validation', `The ${what} was deleted before it was processed.`)),
    )
}

/** After a worker died, its rows run one by one, so that the one that is to blame shows. */
async function splitJob(deps: IngestDeps, scope: Scope, batch: RunningBatch, job: Job): Promise<void> {
  const { rows, ...rest } = job.payload as ExtractPayload
  const key = { batch_id: batch.batch_id, tier_num: job.tier_num! }
  await inTransaction(deps.db, async (trx) => {
    await deps.queue.complete(trx, job)
    if (!(await store.touchBatch(trx, scope, batch))) return holdRest(trx, scope, job)
    const single = rows.map((row) => {
      const payload: ExtractPayload = { ...rest, rows: [row] }
      return tierJob(scope, batch, key.tier_num, { kind: 'extract', payload })
    })
    await deps.queue.enqueue(trx, single)
    const reason = job.last_error === null ? 'a worker died' : `a job failed (${job.last_error})`
    await logTier(trx, scope, key, [
      `${rest.collection_id}: ${reason}; its ${counted(rows.length, 'row')} run one by one.`,
    ])
    await settleJob(trx, scope, deps, batch, key.tier_num, single.length)
  })
  deps.queue.wake()
}

async function giveUp(deps: IngestDeps, scope: Scope, batch: RunningBatch, job: Job): Promise<void> {
  const { rows } = job.payload as ExtractPayload
  const error =
    job.last_error === null
      ? new RowError(
          'resource',
          `The worker process died ${ROW_DEATHS_MAX} times while it processed this row.`,
          {
            recovery_suggestion:
              'Look at the file: it may be damaged, or need more memory than the engine has.',
          },
        )
      : new RowError('runtime', job.last_error)
  await failAll(deps, scope, batch, job, rows, error)
}

async function failAll(
  deps: IngestDeps,
  scope: Scope,
  batch: RunningBatch,
  job: Job,
  ids: readonly string[],
  error: RowError,
): Promise<void> {
  const isFromObjects = job.tier_num === 0 && batch.type === 'BUCKET'
  const options = { batch_id: batch.batch_id, upstream_in_batch: job.tier_num! > 0 }
  const loaded = isFromObjects ? [] : await loadDocuments(deps.db, scope, ids, options)
  const rows = new Map(loaded.map((row) => [row.row_id, row]))
  const results = ids.map((id) => failedRow(id, rows.get(id) ?? null, error))
  await commitRows(deps, { scope, job, batch, results, indexes: new Map(), elapsed_ms: 0, remaining: [] })
}

const missingExtractor = (name: string, version: string) =>
  new RowError('dependency', `This server has no feature extractor ${name} ${version}.`, {
    recovery_suggestion: 'Run a version of the server that has it, then retry the batch.',
  })
