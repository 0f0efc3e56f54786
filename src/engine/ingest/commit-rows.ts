import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { eventIds } from '../../core/webhook-events.ts'
import { RowError } from '../../extractors/extractor.ts'
import { toRowError } from '../../extractors/row-errors.ts'
import { inTransaction, type Trx } from '../../platform/db/db.ts'
import { inParts } from '../../platform/derived-index/parts.ts'
import { type NewEvent, recordEvents } from '../../platform/events/outbox.ts'
import type { OrphanedFile, StagedFile } from '../../platform/files/files.ts'
import type { Job } from '../../platform/queue/queue.ts'
import type { VectorIndexSpec } from '../../platform/vectors/vector-store.ts'
import { counted, logTier } from './batch-log.ts'
import type { IngestDeps } from './deps.ts'
import { holdRest } from './held-work.ts'
import type { ExtractPayload } from './payloads.ts'
import { advance } from './plan-tier.ts'
import { failedRow, type RowResult } from './process-rows.ts'
import type { RunningBatch } from './snapshot.ts'
import * as store from './store.ts'
import { settleJob } from './tiers.ts'
import { writeDocuments } from './write-documents.ts'

export type Commit = {
  scope: Scope
  job: Job
  batch: RunningBatch
  results: readonly RowResult[]
  indexes: ReadonlyMap<string, VectorIndexSpec>
  /** Time that the rows took. */
  elapsed_ms: number
  /** Rows of the job that are still to be done; empty: the job ends. */
  remaining: readonly string[]
  /** Rows that this job leaves undone when it ends: the batch was canceled, or the collection is gone. */
  undone?: readonly string[]
}

/**
 * Commits rows with everything that belongs to them in one transaction that only the holder of the
 * lease can commit. If the index belongs to another model by now, the rows fail instead.
 */
export async function commitRows(deps: IngestDeps, commit: Commit): Promise<void> {
  const staged = commit.results.flatMap(({ drafts }) => (drafts ?? []).flatMap(({ files }) => files))
  try {
    const orphans = await inTransaction(deps.db, (trx) => write(trx, deps, commit))
    await deps.files.deleteBytes(orphans)
  } catch (error) {
    await discard(deps, staged)
    if (!isDrift(error)) throw error
    const drift = toRowError(error)
    const results = commit.results.map((result) => withoutDocuments(result, drift))
    await commitRows(deps, { ...commit, results, indexes: new Map() })
  }
}

const isDrift = (error: unknown) =>
  error instanceof KuraError &&
  (error.code === 'inference_model_changed' || error.code === 'vector_dimension_mismatch')

function withoutDocuments(result: RowResult, drift: RowError): RowResult {
  if (!result.drafts) return result
  // Another dimension is another model too, whatever the index calls it.
  const error = new RowError('dependency', drift.message, {
    cause: drift,
    recovery_suggestion: drift.recovery_suggestion ?? 'Bind the former model again, or re-extract.',
  })
  return failedRow(result.row_id, result.row, error)
}

async function discard({ files, log }: IngestDeps, staged: readonly StagedFile[]): Promise<void> {
  try {
    await files.discard(staged)
  } catch (err) {
    // The sweep of orphaned bytes finds them later; the first error is the one to report.
    log.warn({ err }, 'Files of rows that were not committed could not be removed yet.')
  }
}

async function write(trx: Trx, deps: IngestDeps, commit: Commit): Promise<OrphanedFile[]> {
  const { scope, job, batch, results, remaining, undone = [] } = commit
  const payload = job.payload as ExtractPayload
  const { collection_id } = payload
  const key = { batch_id: batch.batch_id, tier_num: job.tier_num! }
  if (remaining.length === 0) await deps.queue.complete(trx, job)
  else await deps.queue.checkpoint(trx, job, { ...payload, rows: remaining })
  const collection_seq = await store.lockCollection(trx, scope, collection_id)
  const written = results.filter(({ drafts }) => drafts !== null)
  const orphans =
    collection_seq !== null && written.length > 0
      ? await writeDocuments(trx, scope, {
          collection_id,
          collection_seq,
          batch_id: batch.batch_id,
          row_keys: [...new Set(written.map(({ row }) => row!.row_key))],
          drafts: written.flatMap(({ drafts }) => drafts!),
          indexes: commit.indexes,
          files: deps.files,
        })
      : []
  if (collection_seq !== null) await recordEvents(trx, scope, writtenEvents(collection_id, commit))
  const isRunning = await store.touchBatch(trx, scope, batch)
  if (!isRunning && undone.length > 0) await holdRest(trx, scope, job, { ...payload, rows: [...undone] })
  if (collection_seq !== null) await count(trx, deps, commit, key)
  else if (isRunning) {
    await store.updateTierCollection(trx, scope, key, collection_id, 'SKIPPED')
    // The rows of a collection that is gone are no work any more.
    await advance(trx, scope, deps.effects, batch, key, { total: -(results.length + undone.length) })
  }
  if (isRunning) await logTier(trx, scope, key, logOf(collection_id, commit))
  if (isRunning && remaining.length === 0) await settleJob(trx, scope, deps, batch, key.tier_num)
  return orphans
}

/** What webhooks are told of one commit; nothing when it wrote nothing. */
function writtenEvents(collection_id: string, { batch, results }: Commit): NewEvent[] {
  const ids = results.flatMap(({ drafts }) => (drafts ?? []).map(({ document_id }) => document_id))
  if (ids.length === 0) return []
  const { batch_id } = batch
  return [
    {
      event_type: 'collection.documents.written',
      subject: { type: 'collection', id: collection_id },
      metadata: { collection_id, document_count: ids.length, ...eventIds('document_ids', ids), batch_id },
      cache_scope: { scope: 'collection', collection_id },
    },
  ]
}

/** Failures that one commit tells of in the log; all of them are rows of their own. */
const LOGGED_FAILURES_MAX = 3

function logOf(collection_id: string, { results, elapsed_ms }: Commit): string[] {
  const documents = results.reduce((sum, { drafts }) => sum + (drafts?.length ?? 0), 0)
  const missing = results.filter(({ is_missing_input }) => is_missing_input).length
  const failures = results.flatMap(({ row_id, errors }) => errors.map(({ error }) => ({ row_id, error })))
  const parts = [
    counted(documents, 'document'),
    ...(missing > 0 ? [`${missing} without input`] : []),
    ...(failures.length > 0 ? [counted(failures.length, 'failure')] : []),
  ]
  return [
    `${collection_id}: ${counted(results.length, 'row')} in ${(elapsed_ms / 1000).toFixed(2)} s: ${parts.join(', ')}.`,
    ...failures
      .slice(0, LOGGED_FAILURES_MAX)
      .map(({ row_id, error }) => `${collection_id}: ${row_id} failed (${error.type}): ${error.message}`),
  ]
}

async function count(trx: Trx, deps: IngestDeps, commit: Commit, key: store.TierKey): Promise<void> {
  const { scope, job, batch, results } = commit
  const { collection_id, retry_counts = {} } = job.payload as ExtractPayload
  const missing = results.filter(({ is_missing_input }) => is_missing_input).length
  const isCounted = await store.addCounters(trx, scope, key, collection_id, {
    documents_missing_input_fields: missing,
    documents_submitted_to_engine: results.length - missing,
    documents_written: results.reduce((sum, { drafts }) => sum + (drafts?.length ?? 0), 0),
    rows_done: results.length,
    rows_failed: results.filter(({ errors }) => errors.length > 0).length,
  })
  if (!isCounted) return
  await advance(trx, scope, deps.effects, batch, key, { processed: results.length })
  const component = batch.snapshot.collections[collection_id]!.feature_extractor.feature_extractor_id
  const failures = results.flatMap(({ row_id, row, errors }) =>
    errors.map(({ feature, error }) => ({
      namespace_id: scope.namespaceId,
      failure_id: newId.failure(),
      ...key,
      collection_id,
      ...sourceIds(row_id, row, batch, key),
      error_type: error.type,
      message: error.message.slice(0, 2000),
      stage: feature === null ? 'extract' : `feature:${feature}`,
      component,
      recovery_suggestion: error.recovery_suggestion,
      is_transient: Number(error.isTransient),
      retry_count: retry_counts[row_id] ?? 0,
      failed_at: timestamp(),
    })),
  )
  for (const some of inParts(failures)) await trx.insertInto('row_failures').values(some).execute()
}

/** A failed row is named by its root object, and in later tiers by its upstream document too. */
function sourceIds(
  row_id: string,
  row: RowResult['row'],
  { type }: RunningBatch,
  { tier_num }: store.TierKey,
) {
  const isObject = row ? row.record.kind === 'object' : tier_num === 0 && type === 'BUCKET'
  return isObject
    ? { object_id: row_id, document_id: null }
    : { object_id: row?.root_object_id ?? null, document_id: row_id }
}
