import { hostname } from 'node:os'
import pino, { type Logger } from 'pino'
import type { Config } from './config.ts'
import { randomText } from './core/ids.ts'
import { createEngine } from './engine.ts'
import { openDb } from './platform/db/db.ts'
import { migrate } from './platform/db/migrate.ts'
import { migrations } from './platform/db/migrations/index.ts'
import { LEASE_MS } from './platform/queue/db-queue.ts'
import { type Job, type JobHandlers, type JobQueue, LeaseLostError } from './platform/queue/queue.ts'

/** An idle worker looks for jobs this often; wake-up messages only save the wait. */
const POLL_MS = 200
/** How long a worker that stops may go on with its job before it gives the job back. */
const STOP_GRACE_MS = 5000
const RETRY_DELAY_MS_MAX = 60_000
/** Wait after the database itself failed. */
const FAULT_DELAY_MS = 1000

/** Host and process of a worker, so that leases of dead ones can be told. */
export const newWorkerId = () => `${hostname()}/${process.pid}/${randomText(6)}`

export type WorkerOptions = {
  worker_id: string
  queue: JobQueue
  handlers: JobHandlers
  logger: Logger
}

/** Runs jobs one after the other: lease, heartbeat, handler, again. */
export class Worker {
  readonly #options: WorkerOptions
  readonly #stop = new AbortController()
  /** Aborts the job that is running when the grace of a stop is over. */
  readonly #giveBack = new AbortController()
  #running: Promise<void> | undefined
  #wake: (() => void) | undefined
  #woken = false

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.queue.onWake(() => this.wake())
    this.#running ??= this.#loop()
  }

  /** Jobs may be due: do not wait for the next poll. */
  wake(): void {
    this.#woken = true
    this.#wake?.()
  }

  /** Finishes the current job, or gives it back when that takes longer than `grace_ms`. */
  async stop(grace_ms = STOP_GRACE_MS): Promise<void> {
    this.#stop.abort()
    this.wake()
    const timer = setTimeout(() => this.#giveBack.abort(new StoppedError('The worker stops.')), grace_ms)
    await this.#running
    clearTimeout(timer)
  }

  /** Runs the next due job; false when there is none. */
  async runNext(): Promise<boolean> {
    const job = await this.#options.queue.lease(this.#options.worker_id)
    if (!job) return false
    await this.#run(job)
    return true
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        this.#woken = false
        if (!(await this.runNext())) await this.#idle(POLL_MS)
      } catch (err) {
        this.#options.logger.error({ err }, 'The job queue failed; trying again.')
        await this.#idle(FAULT_DELAY_MS)
      }
    }
  }

  async #idle(wait_ms: number): Promise<void> {
    if (this.#woken || this.#stop.signal.aborted) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait_ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  async #run(job: Job): Promise<void> {
    const { queue, handlers, logger } = this.#options
    const lost = new AbortController()
    const timer = setInterval(() => void this.#beat(job, lost), LEASE_MS / 4)
    const signal = AbortSignal.any([lost.signal, this.#giveBack.signal])
    try {
      const handler = handlers[job.kind]
      if (!handler) throw new Error(`This worker has no handler for jobs of kind ${job.kind}.`)
      await handler(job, signal)
    } catch (error) {
      if (error instanceof LeaseLostError || lost.signal.aborted) {
        logger.warn({ job_id: job.job_id, kind: job.kind }, 'Another worker has taken over the job.')
      } else if (this.#giveBack.signal.aborted) {
        await queue.release(job)
      } else {
        logger.error(
          { err: error, job_id: job.job_id, kind: job.kind, attempt: job.attempt },
          'A job failed.',
        )
        const message = error instanceof Error ? error.message : String(error)
        await queue.retry(job, { delay_ms: retryDelay(job.attempt), error: message })
      }
    } finally {
      clearInterval(timer)
    }
  }

  async #beat(job: Job, lost: AbortController): Promise<void> {
    try {
      if (!(await this.#options.queue.heartbeat(job))) lost.abort(new LeaseLostError(job.job_id))
    } catch (err) {
      // The next beat may succeed; if none does the lease expires, and the commit is refused.
      this.#options.logger.warn({ err, job_id: job.job_id }, 'A heartbeat failed.')
    }
  }
}

class StoppedError extends Error {}

/** One second, doubling. */
function retryDelay(attempt: number): number {
  return Math.min(1000 * 2 ** (attempt - 1), RETRY_DELAY_MS_MAX)
}

/** `kura worker`: runs jobs in this process until it is told to stop. */
export async function runWorker(config: Config): Promise<void> {
  // Loaded here only: it brings the whole API along, which an engine process has no use for.
  const { untilStopped } = await import('./commands/serve.ts')
  const logger = pino({ level: config.log_level })
  const db = openDb(config.database_url, { durability: 'full' })
  await migrate(db, migrations)
  await db.destroy()
  const { queue, handlers, close } = await createEngine(config, logger)
  const worker = new Worker({ worker_id: newWorkerId(), queue, handlers, logger })
  worker.start()
  console.log('Kura worker runs; it takes jobs from the database.')
  await untilStopped(async () => {
    await worker.stop()
    await close()
  })
}
