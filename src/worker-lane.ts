import type { JobLane } from './platform/queue/queue.ts'
import { type RunOptions, runJob } from './run-job.ts'

/** An idle lane looks for jobs this often; wake-up messages only save the wait. */
const POLL_MS = 200
/** Wait after the database itself failed. */
const FAULT_DELAY_MS = 1000

export type LaneOptions = RunOptions & {
  worker_id: string
  lane: JobLane
  /** Jobs that run at once. */
  jobs_max: number
}

/** Leases the jobs of one lane and runs up to `jobs_max` of them side by side. */
export class WorkerLane {
  readonly #options: LaneOptions
  readonly #running = new Set<Promise<void>>()
  #isStopping = false
  #wake: (() => void) | undefined
  #woken = false

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** Runs until `stop` is called, then until the jobs under way have ended or were given back. */
  async run(): Promise<void> {
    const { jobs_max } = this.#options
    while (!this.#isStopping) {
      this.#woken = false
      if (this.#running.size >= jobs_max) await Promise.race(this.#running)
      else await this.#fill()
    }
    await Promise.all(this.#running)
  }

  stop(): void {
    this.#isStopping = true
    this.wake()
  }

  /** Jobs may be due: do not wait for the next poll. */
  wake(): void {
    this.#woken = true
    this.#wake?.()
  }

  /** Runs the next due job to its end; false when there is none. */
  async runNext(): Promise<boolean> {
    const job = await this.#lease()
    if (job) await runJob(job, this.#options)
    return job !== null
  }

  #lease() {
    const { queue, worker_id, lane } = this.#options
    return queue.lease(worker_id, lane)
  }

  /** Starts the next job, or waits for one. */
  async #fill(): Promise<void> {
    try {
      const job = await this.#lease()
      if (!job) return await this.#idle(POLL_MS)
      const running = runJob(job, this.#options).catch((err) => this.#fault(err))
      const entry = running.finally(() => this.#running.delete(entry))
      this.#running.add(entry)
    } catch (err) {
      await this.#fault(err)
    }
  }

  /** The database does not answer. A job that it could not put back is another worker's when its lease ends. */
  async #fault(err: unknown): Promise<void> {
    this.#options.logger.error({ err }, 'The job queue failed; trying again.')
    await this.#idle(FAULT_DELAY_MS)
  }

  async #idle(wait_ms: number): Promise<void> {
    if (this.#woken || this.#isStopping) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait_ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }
}
