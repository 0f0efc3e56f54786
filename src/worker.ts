import { hostname } from 'node:os'
import pino, { type Logger } from 'pino'
import type { Config } from './config.ts'
import { randomText } from './core/ids.ts'
import { createEngine } from './engine.ts'
import { openBlobs, tryBlobs } from './platform/blobs/open-blobs.ts'
import { openDb } from './platform/db/db.ts'
import { migrate } from './platform/db/migrate.ts'
import { migrations } from './platform/db/migrations/index.ts'
import { type JobHandlers, type JobLane, type JobQueue, LANES } from './platform/queue/queue.ts'
import { WorkerLane } from './worker-lane.ts'

/** How long a worker that stops may go on with its jobs before it gives them back. */
const STOP_GRACE_MS = 5000

/** Host and process of a worker, so that leases of dead ones can be told. */
export const newWorkerId = () => `${hostname()}/${process.pid}/${randomText(6)}`

export type WorkerOptions = {
  worker_id: string
  queue: JobQueue
  handlers: JobHandlers
  logger: Logger
  /** Jobs that run at once in each lane but `compute`, which runs one. */
  transfers_max?: number
}

/** Runs jobs: one that computes, and beside it those that wait for other machines. */
export class Worker {
  readonly #queue: JobQueue
  readonly #lanes: WorkerLane[]
  /** Aborts the jobs that run when the grace of a stop is over. */
  readonly #giveBack = new AbortController()
  #running: Promise<unknown> | undefined

  constructor({ transfers_max = 8, ...options }: WorkerOptions) {
    this.#queue = options.queue
    this.#lanes = LANES.map(
      (lane: JobLane) =>
        new WorkerLane({
          ...options,
          lane,
          jobs_max: lane === 'compute' ? 1 : transfers_max,
          giveBack: this.#giveBack.signal,
        }),
    )
  }

  start(): void {
    if (this.#running) return
    this.#queue.onWake(() => this.wake())
    this.#running = Promise.all(this.#lanes.map((lane) => lane.run()))
  }

  /** Jobs may be due: do not wait for the next poll. */
  wake(): void {
    for (const lane of this.#lanes) lane.wake()
  }

  /** Finishes the jobs under way, or gives them back when that takes longer than `grace_ms`. */
  async stop(grace_ms = STOP_GRACE_MS): Promise<void> {
    for (const lane of this.#lanes) lane.stop()
    const timer = setTimeout(() => this.#giveBack.abort(new StoppedError('The worker stops.')), grace_ms)
    await this.#running
    clearTimeout(timer)
  }

  /** Runs the next due job of any lane to its end; false when there is none. */
  async runNext(): Promise<boolean> {
    for (const lane of this.#lanes) if (await lane.runNext()) return true
    return false
  }
}

class StoppedError extends Error {}

/** `kura worker`: runs jobs in this process until it is told to stop. */
export async function runWorker(config: Config): Promise<void> {
  // Loaded here only: it brings the whole API along, which an engine process has no use for.
  const { untilStopped } = await import('./commands/serve.ts')
  const logger = pino({ level: config.log_level })
  const db = openDb(config.database_url, { durability: 'full' })
  await migrate(db, migrations)
  await db.destroy()
  await tryBlobs(openBlobs(config), config.storage_url, logger)
  const { queue, handlers, close } = await createEngine(config, logger)
  const worker = new Worker({
    worker_id: newWorkerId(),
    queue,
    handlers,
    logger,
    transfers_max: config.engine_transfers,
  })
  worker.start()
  console.log('Kura worker runs; it takes jobs from the database.')
  await untilStopped(async () => {
    await worker.stop()
    await close()
  })
}
