import { EventEmitter } from 'node:events'
import { newId, randomText } from '../../core/ids.ts'
import { timestamp, toTimestamp } from '../../core/time.ts'
import { type Db, type DbOrTrx, dialect, inTransaction, type Trx } from '../db/db.ts'
import { type Job, type JobKind, type JobQueue, LeaseLostError, type NewJob } from './queue.ts'

/** A worker that has not been heard of for this long is taken for dead. Heartbeats come four times as often. */
export const LEASE_MS = 20_000

/** Rows of one insert statement; keeps it under SQLite's bound of 32,766 parameters. */
const INSERT_ROWS_MAX = 500

const COLUMNS = [
  'job_id',
  'organization_id',
  'namespace_id',
  'kind',
  'payload',
  'batch_id',
  'tier_num',
  'priority',
  'attempt',
] as const

/** The job queue as rows of the `jobs` table, on either database. */
export class DbQueue implements JobQueue {
  readonly #db: Db
  readonly #wakes = new EventEmitter()

  constructor(db: Db) {
    this.#db = db
  }

  async enqueue(trx: Trx, jobs: readonly NewJob[]): Promise<void> {
    for (let start = 0; start < jobs.length; start += INSERT_ROWS_MAX) {
      await trx
        .insertInto('jobs')
        .values(jobs.slice(start, start + INSERT_ROWS_MAX).map(toRow))
        .execute()
    }
  }

  /** Looks before it locks: an idle worker polls without ever taking the write lock of SQLite. */
  async lease(worker_id: string): Promise<Job | null> {
    const now = timestamp()
    if (!(await nextDue(this.#db, now).executeTakeFirst())) return null
    return inTransaction(this.#db, async (trx) => {
      const due = nextDue(trx, now)
      // SKIP LOCKED lets many workers lease at once without waiting for each other; SQLite has one writer anyway.
      const row = await (dialect(trx) === 'postgres' ? due.forUpdate().skipLocked() : due).executeTakeFirst()
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
        })
        .where('job_id', '=', row.job_id)
        .execute()
      return { ...row, kind: row.kind as JobKind, payload: JSON.parse(row.payload), attempt, lease_token }
    })
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

  async retry(
    { job_id, lease_token }: Job,
    { delay_ms, error }: { delay_ms: number; error: string },
  ): Promise<void> {
    await this.#db
      .updateTable('jobs')
      .set({
        status: 'queued',
        run_at: toTimestamp(Date.now() + delay_ms),
        lease_token: null,
        lease_expires_at: null,
        last_error: error.slice(0, 2000),
      })
      .where('job_id', '=', job_id)
      .where('lease_token', '=', lease_token)
      .execute()
  }

  onWake(listener: () => void): () => void {
    this.#wakes.on('wake', listener)
    return () => this.#wakes.off('wake', listener)
  }

  wake(): void {
    this.#wakes.emit('wake')
  }
}

function toRow(job: NewJob) {
  return {
    job_id: newId.job(),
    organization_id: job.organization_id,
    namespace_id: job.namespace_id,
    kind: job.kind,
    status: 'queued' as const,
    priority: job.priority ?? 0,
    run_at: job.delay_ms ? toTimestamp(Date.now() + job.delay_ms) : timestamp(),
    batch_id: job.batch_id ?? null,
    tier_num: job.tier_num ?? null,
    attempt: 0,
    lease_token: null,
    lease_expires_at: null,
    worker_id: null,
    last_error: null,
    created_at: timestamp(),
    payload: JSON.stringify(job.payload),
  }
}

function nextDue(db: DbOrTrx, now: string) {
  return db
    .selectFrom('jobs')
    .select(COLUMNS)
    .where((eb) =>
      eb.or([
        eb.and([eb('status', '=', 'queued'), eb('run_at', '<=', now)]),
        eb.and([eb('status', '=', 'running'), eb('lease_expires_at', '<', now)]),
      ]),
    )
    .orderBy('priority', 'desc')
    .orderBy('run_at')
    .orderBy('job_id')
    .limit(1)
}
