import { sql } from 'kysely'
import { dialect, type Trx } from '../db/db.ts'

/** Any constant of our own; the second lock number is the namespace. */
const LOCK_CLASS = 8_415_073

/**
 * Call it before appending to a change log. Followers remember the last change they applied, so a
 * change MUST NOT become visible after one with a higher number. SQLite has one writer at a time;
 * on PostgreSQL this lock makes the writers of one namespace commit one after the other, so take it
 * as late in the transaction as possible. One lock a namespace, because a transaction that took
 * several could deadlock with another.
 */
export async function lockChangeLog(trx: Trx, namespace_id: string): Promise<void> {
  if (dialect(trx) !== 'postgres') return
  await sql`select pg_advisory_xact_lock(${LOCK_CLASS}, hashtext(${namespace_id}))`.execute(trx)
}
