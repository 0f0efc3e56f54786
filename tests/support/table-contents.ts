import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { type Db, dialect } from '../../src/platform/db/db.ts'

/** A digest of the rows of every table, by table name, with their number in front. */
export type TableContents = Record<string, string>

/** What every table holds, so that a test can tell that a refused request changed nothing. */
export async function tableContents(db: Db): Promise<TableContents> {
  const contents: TableContents = {}
  for (const name of await tableNames(db)) {
    const { rows } = await sql`select * from ${sql.table(name)}`.execute(db)
    const texts = rows.map((row) => JSON.stringify(row)).sort()
    const digest = createHash('sha256').update(texts.join('\n')).digest('base64url').slice(0, 12)
    contents[name] = `${rows.length} rows ${digest}`
  }
  return contents
}

async function tableNames(db: Db): Promise<string[]> {
  const query =
    dialect(db) === 'sqlite'
      ? // The parts of a full-text index have no rows that mean anything on their own.
        sql<{ name: string }>`select name from sqlite_master where type = 'table' and name not like 'sqlite%'
          and name not like '%\\_trigrams%' escape '\\' order by name`
      : sql<{ name: string }>`select table_name as name from information_schema.tables
          where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name`
  return (await query.execute(db)).rows.map(({ name }) => name)
}
