import type { JobHandlers } from '../../platform/queue/queue.ts'
import type { IngestDeps } from './deps.ts'
import { extractRows } from './extract-rows.ts'
import { finishBatch } from './finish-batch.ts'
import { planTier } from './plan-tier.ts'
import { BatchReader } from './snapshot.ts'

/** The handlers of the jobs that turn batches into documents. */
export function ingestHandlers(deps: IngestDeps): JobHandlers {
  const batches = new BatchReader()
  return {
    plan_tier: (job) => planTier(deps, batches, job),
    extract: (job, signal) => extractRows(deps, batches, job, signal),
    finish_batch: (job) => finishBatch(deps, batches, job),
  }
}
