import assert from 'node:assert/strict'
import type { Deps } from '../../src/deps.ts'
import type { IngestLimits } from '../../src/engine/ingest/deps.ts'
import { createJobHandlers } from '../../src/engine.ts'
import type { JobHandlers } from '../../src/platform/queue/queue.ts'
import { newWorkerId, Worker } from '../../src/worker.ts'

export type DrainOptions = {
  /** Jobs to run at most; more left is a failure of the test. */
  jobs_max?: number
  limits?: Partial<IngestLimits>
  /** Handlers that stand in for the real ones. */
  handlers?: JobHandlers
}

/** Runs every due job in this process, with the real handlers, until none is left. Returns how many ran. */
export async function drainQueue(deps: Deps, options: DrainOptions = {}): Promise<number> {
  const { jobs_max = 10_000, limits = {}, handlers = {} } = options
  const failures: unknown[] = []
  const worker = new Worker({
    worker_id: newWorkerId(),
    queue: deps.queue,
    handlers: { ...createJobHandlers(deps, { retry_delay_ms: 1, ...limits }), ...handlers },
    logger: Object.assign(Object.create(deps.logger), {
      error: (details: { err?: unknown }) => failures.push(details.err ?? details),
    }),
  })
  for (let jobs = 0; jobs < jobs_max; jobs++) {
    const ran = await worker.runNext()
    // A job that throws is put back for later; a test would only see that nothing happened.
    if (failures.length > 0) throw failures[0]
    if (!ran) return jobs
  }
  return assert.fail(`The queue still holds jobs after ${jobs_max}.`)
}
