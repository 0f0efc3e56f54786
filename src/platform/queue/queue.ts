import type { Trx } from '../db/db.ts'

/** What a job does; each kind has one handler in the worker. */
export type JobKind = 'plan_tier' | 'extract' | 'delete_bucket' | 'delete_namespace' | 'delete_collection'

export type NewJob = {
  organization_id: string
  namespace_id: string
  kind: JobKind
  payload: unknown
  batch_id?: string | null
  tier_num?: number | null
  /** Higher runs first. */
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
  /** 1 on the first run. */
  attempt: number
  lease_token: string
}

/**
 * The port to background work. Jobs are enqueued in the transaction that causes them, and run at
 * least once: a worker that dies loses its lease, and the job goes to another with `attempt` + 1.
 */
export type JobQueue = {
  enqueue(trx: Trx, jobs: readonly NewJob[]): Promise<void>
  /** The next due job, leased to this worker, or null. Expired leases count as due. */
  lease(worker_id: string): Promise<Job | null>
  /** Prolongs the lease; false when it was lost, and then the worker MUST drop its work. */
  heartbeat(job: Job): Promise<boolean>
  /** Inside the job's own transaction: removes the job, or throws LeaseLostError, which rolls all of it back. */
  complete(trx: Trx, job: Job): Promise<void>
  /** Gives the job back to be run later. */
  retry(job: Job, options: { delay_ms: number; error: string }): Promise<void>
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
