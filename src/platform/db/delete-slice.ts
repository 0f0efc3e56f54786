import { sql } from 'kysely'
import { dialect, type Trx } from './db.ts'

/**
 * Deletes at most `limit` rows whose columns have these values, found by the number under which the
 * database keeps them: no writer waits long. False: there were none. `table` MUST NOT come from a client.
 */
export async function deleteSlice(
  trx: Trx,
  table: string,
  values: Readonly<Record<string, string>>,
  limit: number,
): Promise<boolean> {
  const row = sql.raw(dialect(trx) === 'sqlite' ? 'rowid' : 'ctid')
  const conditions = Object.entries(values).map(([column, value]) => sql`${sql.ref(column)} = ${value}`)
  const { numAffectedRows } = await sql`delete from ${sql.table(table)} where ${row} in (
    select ${row} from ${sql.table(table)} where ${sql.join(conditions, sql` and `)} limit ${limit})`.execute(
    trx,
  )
  return (numAffectedRows ?? 0n) > 0n
}
