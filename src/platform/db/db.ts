import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import { openPostgres } from './postgres.ts'
import type { Schema } from './schema.ts'
import { openSqlite } from './sqlite.ts'
import { turnReadsOf } from './turn-reads.ts'

export type Dialect = 'sqlite' | 'postgres'

export type Db = Kysely<Schema>
export type Trx = Transaction<Schema>
/** Stores take either, so that services can compose them in one transaction. */
export type DbOrTrx = Db | Trx

export type OpenOptions = {
  /**
   * `full`: a commit is on disk when it returns (what a client was told). `normal`: it survives the
   * death of any process but the last commits may be lost with the power; for workers, whose
   * jobs can run again.
   */
  durability: 'full' | 'normal'
  read_only?: boolean
  pool_max?: number
}

const dialects = new WeakMap<object, Dialect>()

/** Opens `sqlite:<path>` or `postgres://…`. The caller closes it with `destroy()`. */
export function openDb(url: string, options: OpenOptions): Db {
  const dialect = dialectOf(url)
  const db = dialect === 'sqlite' ? openSqlite(sqlitePath(url), options) : openPostgres(url, options)
  dialects.set(db.getExecutor().adapter, dialect)
  return db
}

/** Which database a connection or transaction talks to. */
export function dialect(db: DbOrTrx): Dialect {
  const known = dialects.get(db.getExecutor().adapter)
  if (!known) throw new Error('This connection was not opened by openDb.')
  return known
}

export function dialectOf(url: string): Dialect {
  if (url.startsWith('sqlite:')) return 'sqlite'
  if (url.startsWith('postgres://') || url.startsWith('postgresql://')) return 'postgres'
  throw new KuraError('config_invalid', {
    reason: `The database URL must start with sqlite: or postgres://, not "${url.split(':')[0]}:".`,
  })
}

export const sqlitePath = (url: string) => url.slice('sqlite:'.length)

/** Whoever loses that many deadlocks in a row gives up. */
const DEADLOCK_ATTEMPTS_MAX = 5

/**
 * Runs `work` in one write transaction; it commits when `work` returns and rolls back when it throws.
 * After a deadlock `work` runs again, so it MUST keep what it finds out to itself until it returns.
 */
export async function inTransaction<T>(db: DbOrTrx, work: (trx: Trx) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db as Trx)
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (!isDeadlock(error) || attempt === DEADLOCK_ATTEMPTS_MAX) throw error
      // Those who met once must not meet again in step.
      await sleep(Math.random() * 20 * attempt)
    }
  }
}

/** Runs several reads on one snapshot, so that a count and its page agree. */
export function inSnapshot<T>(db: DbOrTrx, work: (trx: Trx) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db as Trx)
  return db.transaction().setAccessMode('read only').setIsolationLevel('repeatable read').execute(work)
}

/**
 * A read that every request makes, made once a turn of the event loop where the database allows it
 * (TurnReads says why nobody can tell). Equal keys MUST stand for equal questions.
 */
export function oncePerTurn<T>(db: DbOrTrx, key: string, read: () => Promise<T>): Promise<T> {
  const turn = db.isTransaction ? undefined : turnReadsOf(db.getExecutor().adapter)
  return turn ? turn.once(key, read) : read()
}

/** Whether an error is a broken unique rule, whichever database raised it. */
export function isUniqueViolation(error: unknown): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  // PostgreSQL class 23505; SQLite extended codes SQLITE_CONSTRAINT_UNIQUE and _PRIMARYKEY.
  return code === '23505' || errcode === 2067 || errcode === 1555
}

/** Whether PostgreSQL ended a transaction because two waited for each other: running it again helps. */
export function isDeadlock(error: unknown): boolean {
  return (error as { code?: unknown }).code === '40P01'
}
