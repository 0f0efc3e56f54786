import type { Trx } from '../db/db.ts'

/**
 * The lanes of work, which never wait for each other: `compute` jobs use the processor and run one
 * at a time; `transfer` jobs wait for other machines and may take minutes or hours; `quick` jobs wait
 * for other machines for seconds, and people wait for them.
 */
export const LANES = ['compute', 'transfer', 'quick'] as const
export type JobLane = (typeof LANES)[number]

/** What a job does, with the lane it runs in; each kind has one handler in the worker. */
export const JOB_LANES = {
  plan_tier: 'compute',
  extract: 'compute',
  finish_batch: 'compute',
  delete_bucket: 'transfer',
  delete_namespace: 'transfer',
  delete_collection: 'transfer',
  clone_namespace: 'transfer',
  run_sync: 'transfer',
  take_source_events: 'transfer',
  confirm_uploads: 'quick',
  deliver_webhook: 'quick',
} as const satisfies Record<string, JobLane>

export type JobKind = keyof typeof JOB_LANES

export type NewJob = {
  organization_id: string
  namespace_id: string
  kind: JobKind
  payload: unknown
  batch_id?: string | null
  tier_num?: number | null
  /** Higher runs first; 0 unless given. */
  priority?: number
  delay_ms?: number
}

export type Job = {
  job_id: string
  organization_id: string
  namespace_id: string
  kind: JobKind
  payload: unknown
  batch_id: string | null
  tier_num: number | null
  priority: number
  /** 1 on the first run; a worker that died and a run that failed count, a job that was given back does not. */
  attempt: number
  /** Why the last run failed; null when there was none, or when its worker died without a word. */
  last_error: string | null
  lease_token: string
}

/**
 * Does a job and completes it in the transaction of its results. Throwing means: run it again later.
 * `signal` aborts when the lease is lost or the worker stops; then nothing may be committed any more.
 */
export type JobHandler = (job: Job, signal: AbortSignal) => Promise<void>
export type JobHandlers = Partial<Record<JobKind, JobHandler>>

/**
 * The port to background work. Jobs are enqueued in the transaction that causes them, and run at
 * least once: a worker that dies loses its lease, and the job goes to another with `attempt` + 1.
 */
export type JobQueue = {
  enqueue(trx: Trx, jobs: readonly NewJob[]): Promise<void>
  /**
   * The next due job of the lane, leased to this worker, or null. Expired leases come first, then the
   * highest priority, in which namespaces take turns. A job that has waited long gets its turn too.
   */
  lease(worker_id: string, lane: JobLane): Promise<Job | null>
  /** Prolongs the lease; false when it was lost, and then the worker MUST drop its work. */
  heartbeat(job: Job): Promise<boolean>
  /** Inside the job's own transaction: removes the job, or throws LeaseLostError, which rolls all of it back. */
  complete(trx: Trx, job: Job): Promise<void>
  /**
   * Inside a transaction that commits a part of the job: keeps the lease and leaves only what `payload`
   * says to do, or throws LeaseLostError.
   */
  checkpoint(trx: Trx, job: Job, payload: unknown): Promise<void>
  /** Runs the job again later, after an error; the attempt counts. */
  retry(job: Job, options: { delay_ms: number; error: string }): Promise<void>
  /** Gives the job back as if it had not been leased: a worker that stops could not finish it. */
  release(job: Job): Promise<void>
  /** Ends the leases of workers that are known to be dead, so that nobody waits for them to expire. */
  expireLeases(worker_ids: readonly string[]): Promise<number>
  /** Workers that hold a lease now. */
  listWorkers(): Promise<string[]>
  /** Calls back soon after jobs may have become due in this process; only saves the polling delay. */
  onWake(listener: () => void): () => void
  wake(): void
}

/** Another worker holds the job now: what this one did must not be committed. */
export class LeaseLostError extends Error {
  constructor(job_id: string) {
    super(`The lease of ${job_id} was lost.`)
    this.name = 'LeaseLostError'
  }
}
