import { sql } from 'kysely'
import { type Db, inTransaction, openDb } from '../db/db.ts'

/** Changes dropped in one transaction, so that no writer waits long. */
const TRIM_IDS = 50_000

/** The change log of a kind of index: its tables, and the column that names one index in both. */
export type ChangeLog = {
  indexes: 'vector_indexes' | 'lexical_indexes'
  changes: 'vector_changes' | 'lexical_changes'
  key: 'vector_index_id' | 'collection_seq'
}

/** Drops changes of an index up to `up_to` and remembers it, so that whoever needed them knows to start anew. */
export async function trimChanges(
  db: Db,
  { indexes, changes, key }: ChangeLog,
  id: number,
  up_to: number,
): Promise<void> {
  const { rows } = await sql<{ changes_trimmed_to: number }>`
    select changes_trimmed_to from ${sql.table(indexes)} where ${sql.ref(key)} = ${id}`.execute(db)
  const [index] = rows
  if (!index) return
  for (let from = index.changes_trimmed_to; from < up_to; from += TRIM_IDS) {
    const to = Math.min(from + TRIM_IDS, up_to)
    await inTransaction(db, async (trx) => {
      await sql`delete from ${sql.table(changes)} where ${sql.ref(key)} = ${id} and change_id <= ${to}`.execute(
        trx,
      )
      await sql`update ${sql.table(indexes)} set changes_trimmed_to = ${to}
        where ${sql.ref(key)} = ${id} and changes_trimmed_to < ${to}`.execute(trx)
    })
  }
}

/** Lets a thread that otherwise only reads write once: a connection that is closed again holds nothing open. */
export async function withWriter(database_url: string, work: (db: Db) => Promise<void>): Promise<void> {
  const writer = openDb(database_url, { durability: 'normal', pool_max: 1 })
  try {
    await work(writer)
  } finally {
    await writer.destroy()
  }
}
