import type { Logger } from 'pino'
import { LEASE_MS } from './platform/queue/db-queue.ts'
import { type Job, type JobHandlers, type JobQueue, LeaseLostError } from './platform/queue/queue.ts'

const RETRY_DELAY_MS_MAX = 60_000

export type RunOptions = {
  queue: JobQueue
  handlers: JobHandlers
  logger: Logger
  /** Aborts when the worker can wait no longer: the job is given back. */
  giveBack: AbortSignal
}

/**
 * Runs one leased job with its heartbeat. A job that throws is put back for later, however often that
 * happens: handlers that know when to give up do so by `attempt`, and `kura doctor` shows the others.
 */
export async function runJob(job: Job, options: RunOptions): Promise<void> {
  const { queue, handlers, logger, giveBack } = options
  const lost = new AbortController()
  const timer = setInterval(() => void beat(job, lost, options), LEASE_MS / 4)
  try {
    const handler = handlers[job.kind]
    if (!handler) throw new Error(`This worker has no handler for jobs of kind ${job.kind}.`)
    await handler(job, AbortSignal.any([lost.signal, giveBack]))
  } catch (error) {
    if (error instanceof LeaseLostError || lost.signal.aborted) {
      logger.warn({ job_id: job.job_id, kind: job.kind }, 'Another worker has taken over the job.')
    } else if (giveBack.aborted) {
      await queue.release(job)
    } else {
      logger.error({ err: error, job_id: job.job_id, kind: job.kind, attempt: job.attempt }, 'A job failed.')
      const message = error instanceof Error ? error.message : String(error)
      await queue.retry(job, { delay_ms: retryDelay(job.attempt), error: message })
    }
  } finally {
    clearInterval(timer)
  }
}

async function beat(job: Job, lost: AbortController, { queue, logger }: RunOptions): Promise<void> {
  try {
    if (!(await queue.heartbeat(job))) lost.abort(new LeaseLostError(job.job_id))
  } catch (err) {
    // The next beat may succeed; if none does the lease expires, and the commit is refused.
    logger.warn({ err, job_id: job.job_id }, 'A heartbeat failed.')
  }
}

/** One second, doubling. */
function retryDelay(attempt: number): number {
  return Math.min(1000 * 2 ** (attempt - 1), RETRY_DELAY_MS_MAX)
}
