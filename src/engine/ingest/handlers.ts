import type { Job, JobKind } from '../../platform/queue/queue.ts'
import type { IngestDeps } from './deps.ts'
import { extractRows } from './extract-rows.ts'
import { finishBatch } from './finish-batch.ts'
import { planTier } from './plan-tier.ts'
import { BatchReader } from './snapshot.ts'

/**
 * Does a job and completes it in the transaction of its results. Throwing means: run it again later.
 * `signal` aborts when the lease is lost or the worker stops; then nothing may be committed any more.
 */
export type JobHandler = (job: Job, signal: AbortSignal) => Promise<void>
export type JobHandlers = Partial<Record<JobKind, JobHandler>>

/** The handlers of the jobs that turn batches into documents. */
export function ingestHandlers(deps: IngestDeps): JobHandlers {
  const batches = new BatchReader()
  return {
    plan_tier: (job) => planTier(deps, batches, job),
    extract: (job, signal) => extractRows(deps, batches, job, signal),
    finish_batch: (job) => finishBatch(deps, batches, job),
  }
}
