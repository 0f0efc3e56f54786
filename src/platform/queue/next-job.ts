import { type SelectQueryBuilder, sql } from 'kysely'
import { timestamp, toTimestamp } from '../../core/time.ts'
import { type Db, dialect, type Trx } from '../db/db.ts'
import type { Schema } from '../db/schema.ts'
import type { JobLane } from './queue.ts'

/** What a worker remembers of a lane: whom it served last, and how often it has served. */
export type Turn = { namespace_id: string; leases: number }

/** A job that has waited this long counts as old; every so many leases serve an old one, whatever its priority. */
const OLD_MS = 60_000
const LEASES_PER_OLD = 8
/** Delayed jobs that become due in one lease at most. */
const DUE_MAX = 100
/** A job beside others that its worker died with waits this long, doubling: the others must not be blamed with it. */
const LOST_DELAY_MS = 1000
const LOST_DELAY_MS_MAX = 30_000

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
  'last_error',
] as const

// Written out instead of bound: an index for queued jobs only is used for statements that say so.
const QUEUED = sql<'queued'>`'queued'`

/** Whether a lease could find something. It locks nothing. */
export async function hasDue(db: Db, lane: JobLane, now: string): Promise<boolean> {
  const { rows } = await sql<{ due: number }>`select 1 as due where
    exists (select 1 from jobs where lane = ${lane} and status = ${QUEUED})
    or exists (select 1 from jobs where lease_expires_at < ${now} and lane = ${lane})
    or exists (select 1 from jobs where lane = ${lane} and status = 'delayed' and run_at <= ${now})`.execute(
    db,
  )
  return rows.length > 0
}

/** The job to run next, locked on PostgreSQL until the transaction ends. Each step is one look-up in an index. */
export async function nextDue(trx: Trx, lane: JobLane, turn: Turn) {
  const now = timestamp()
  const lost = await nextLost(trx, lane, now)
  if (lost) return lost
  await queueDelayed(trx, lane, now)
  const isOldsTurn = turn.leases % LEASES_PER_OLD === LEASES_PER_OLD - 1
  return (
    (isOldsTurn ? await oldest(trx, lane) : undefined) ??
    (await nextNamespace(trx, lane, turn.namespace_id)) ??
    (await first(trx, lane))
  )
}

type Rows<T> = SelectQueryBuilder<Schema, 'jobs', T>

/** SKIP LOCKED lets many workers lease at once without waiting for each other; SQLite has one writer anyway. */
function take<T>(trx: Trx, query: Rows<T>) {
  const one = query.limit(1)
  return (dialect(trx) === 'postgres' ? one.forUpdate().skipLocked() : one).executeTakeFirst()
}

const jobs = (trx: Trx, lane: JobLane) => trx.selectFrom('jobs').select(COLUMNS).where('lane', '=', lane)
const queued = (trx: Trx, lane: JobLane) => jobs(trx, lane).where('status', '=', QUEUED)

/** Work whose worker died comes first: it is the oldest. */
async function nextLost(trx: Trx, lane: JobLane, now: string) {
  const query = jobs(trx, lane).where('lease_expires_at', '<', now).orderBy('lease_expires_at')
  const lost = await take(trx, query)
  // Compute jobs run alone in their lane; that the first of them died may well be its own fault.
  if (!lost || lane === 'compute' || lost.attempt < 2) return lost
  const delay_ms = Math.min(LOST_DELAY_MS * 2 ** (lost.attempt - 2), LOST_DELAY_MS_MAX)
  await trx
    .updateTable('jobs')
    .set({
      status: 'delayed',
      run_at: toTimestamp(Date.now() + delay_ms),
      lease_token: null,
      lease_expires_at: null,
      worker_id: null,
    })
    .where('job_id', '=', lost.job_id)
    .execute()
  return undefined
}

async function queueDelayed(trx: Trx, lane: JobLane, now: string): Promise<void> {
  const due = trx
    .selectFrom('jobs')
    .select('job_id')
    .where('lane', '=', lane)
    .where('status', '=', 'delayed')
    .where('run_at', '<=', now)
    .orderBy('run_at')
    .limit(DUE_MAX)
  await trx
    .updateTable('jobs')
    .set({ status: 'queued' })
    .where('job_id', 'in', dialect(trx) === 'postgres' ? due.forUpdate().skipLocked() : due)
    .execute()
}

function oldest(trx: Trx, lane: JobLane) {
  const waiting = queued(trx, lane).where('run_at', '<', toTimestamp(Date.now() - OLD_MS))
  return take(trx, waiting.orderBy('run_at').orderBy('job_id'))
}

/** Namespaces take turns in the order of their ids, within the highest priority that waits. */
function nextNamespace(trx: Trx, lane: JobLane, after: string) {
  const highest = trx
    .selectFrom('jobs')
    .select('priority')
    .where('lane', '=', lane)
    .where('status', '=', QUEUED)
    .orderBy('priority', 'desc')
    .limit(1)
  const query = queued(trx, lane).where('priority', '=', highest).where('namespace_id', '>', after)
  return take(trx, query.orderBy('namespace_id').orderBy('run_at').orderBy('job_id'))
}

/** The round begins anew; or others hold all of the highest priority, and the next one has its chance. */
function first(trx: Trx, lane: JobLane) {
  const query = queued(trx, lane).orderBy('priority', 'desc').orderBy('namespace_id')
  return take(trx, query.orderBy('run_at').orderBy('job_id'))
}
