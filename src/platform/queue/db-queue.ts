import { EventEmitter } from 'node:events'
import { newId, randomText } from '../../core/ids.ts'
import { timestamp, toTimestamp } from '../../core/time.ts'
import { type Db, inTransaction, type Trx } from '../db/db.ts'
import { hasDue, nextDue, type Turn } from './next-job.ts'
import {
  JOB_LANES,
  type Job,
  type JobKind,
  type JobLane,
  type JobQueue,
  LeaseLostError,
  type NewJob,
} from './queue.ts'

/** A worker that has not been heard of for this long is taken for dead. Heartbeats come four times as often. */
export const LEASE_MS = 20_000

/** Rows of one insert statement; keeps it under SQLite's bound of 32,766 parameters. */
const INSERT_ROWS_MAX = 500

/** What a job that waits has not. */
const UNLEASED = { lease_token: null, lease_expires_at: null, worker_id: null } as const

/** The job queue as rows of the `jobs` table, on either database. */
export class DbQueue implements JobQueue {
  readonly #db: Db
  readonly #wakes = new EventEmitter()
  readonly #turns = new Map<JobLane, Turn>()

  constructor(db: Db) {
    this.#db = db
  }

  enqueue(trx: Trx, jobs: readonly NewJob[]): Promise<void> {
    return insertJobs(trx, jobs)
  }

  /** Looks before it locks: an idle worker polls without ever taking the write lock of SQLite. */
  async lease(worker_id: string, lane: JobLane): Promise<Job | null> {
    if (!(await hasDue(this.#db, lane, timestamp()))) return null
    const turn = this.#turns.get(lane) ?? { namespace_id: '', leases: 0 }
    const job = await inTransaction(this.#db, async (trx): Promise<Job | null> => {
      const row = await nextDue(trx, lane, turn)
      if (!row) return null
      const lease_token = randomText(20)
      const attempt = row.attempt + 1
      await trx
        .updateTable('jobs')
        .set({
          status: 'running',
          attempt,
          lease_token,
          lease_expires_at: toTimestamp(Date.now() + LEASE_MS),
          worker_id,
          // What is left here when the next lease comes belongs to a worker that died.
          last_error: null,
        })
        .where('job_id', '=', row.job_id)
        .execute()
      return { ...row, kind: row.kind as JobKind, payload: JSON.parse(row.payload), attempt, lease_token }
    })
    if (job) this.#turns.set(lane, { namespace_id: job.namespace_id, leases: turn.leases + 1 })
    return job
  }

  async heartbeat({ job_id, lease_token }: Job): Promise<boolean> {
    const result = await this.#db
      .updateTable('jobs')
      .set({ lease_expires_at: toTimestamp(Date.now() + LEASE_MS) })
      .where('job_id', '=', job_id)
      .where('lease_token', '=', lease_token)
      .executeTakeFirst()
    return result.numUpdatedRows === 1n
  }

  async complete(trx: Trx, { job_id, lease_token }: Job): Promise<void> {
    const result = await trx
      .deleteFrom('jobs')
      .where('job_id', '=', job_id)
      .where('lease_token', '=', lease_token)
      .executeTakeFirst()
    if (result.numDeletedRows !== 1n) throw new LeaseLostError(job_id)
  }

  async checkpoint(trx: Trx, { job_id, lease_token }: Job, payload: unknown): Promise<void> {
    const result = await trx
      .updateTable('jobs')
      .set({ payload: JSON.stringify(payload) })
      .where('job_id', '=', job_id)
      .where('lease_token', '=', lease_token)
      .executeTakeFirst()
    if (result.numUpdatedRows !== 1n) throw new LeaseLostError(job_id)
  }

  async retry(
    { job_id, lease_token }: Job,
    { delay_ms, error }: { delay_ms: number; error: string },
  ): Promise<void> {
    await this.#db
      .updateTable('jobs')
      .set({ ...UNLEASED, ...dueIn(delay_ms), last_error: error.slice(0, 2000) })
      .where('job_id', '=', job_id)
      .where('lease_token', '=', lease_token)
      .execute()
  }

  async release({ job_id, lease_token, attempt }: Job): Promise<void> {
    await this.#db
      .updateTable('jobs')
      .set({ ...UNLEASED, status: 'queued', attempt: attempt - 1 })
      .where('job_id', '=', job_id)
      .where('lease_token', '=', lease_token)
      .execute()
  }

  async expireLeases(worker_ids: readonly string[]): Promise<number> {
    if (worker_ids.length === 0) return 0
    const { numUpdatedRows } = await this.#db
      .updateTable('jobs')
      // The old token goes too: should the worker live after all, it cannot commit any more.
      .set({ lease_expires_at: toTimestamp(0), lease_token: null })
      .where('status', '=', 'running')
      .where('worker_id', 'in', worker_ids)
      .executeTakeFirst()
    return Number(numUpdatedRows)
  }

  async listWorkers(): Promise<string[]> {
    const rows = await this.#db
      .selectFrom('jobs')
      .select('worker_id')
      .distinct()
      .where('lease_expires_at', 'is not', null)
      .execute()
    return rows.flatMap(({ worker_id }) => worker_id ?? [])
  }

  onWake(listener: () => void): () => void {
    this.#wakes.on('wake', listener)
    return () => this.#wakes.off('wake', listener)
  }

  wake(): void {
    this.#wakes.emit('wake')
  }
}

/** Due jobs are queued; the others become it when their time has come. */
function dueIn(delay_ms: number) {
  return delay_ms > 0
    ? { status: 'delayed' as const, run_at: toTimestamp(Date.now() + delay_ms) }
    : { status: 'queued' as const, run_at: timestamp() }
}

/** For those who cause jobs in a transaction and know no queue. */
export async function insertJobs(trx: Trx, jobs: readonly NewJob[]): Promise<void> {
  for (let start = 0; start < jobs.length; start += INSERT_ROWS_MAX) {
    await trx
      .insertInto('jobs')
      .values(jobs.slice(start, start + INSERT_ROWS_MAX).map(toRow))
      .execute()
  }
}

function toRow(job: NewJob) {
  return {
    job_id: newId.job(),
    organization_id: job.organization_id,
    namespace_id: job.namespace_id,
    kind: job.kind,
    lane: JOB_LANES[job.kind],
    ...dueIn(job.delay_ms ?? 0),
    priority: job.priority ?? 0,
    batch_id: job.batch_id ?? null,
    tier_num: job.tier_num ?? null,
    attempt: 0,
    ...UNLEASED,
    last_error: null,
    created_at: timestamp(),
    payload: JSON.stringify(job.payload),
  }
}
