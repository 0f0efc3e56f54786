import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { OpenOptions } from './db.ts'
import type { Schema } from './schema.ts'

/** PostgreSQL type ids (pg_type.oid) whose default JavaScript form differs from what SQLite returns. */
const INT8 = 20
const NUMERIC = 1700
const JSON_TYPE = 114
const JSONB = 3802

/**
 * Makes rows of both databases look alike: counts are numbers and JSON columns are text, parsed
 * once by the store that reads them.
 */
function parserOf(oid: number, format?: string) {
  if (oid === INT8 || oid === NUMERIC) return Number
  if (oid === JSON_TYPE || oid === JSONB) return (text: string) => text
  return pg.types.getTypeParser(oid, format as 'text')
}

export function openPostgres(
  url: string,
  { durability, pool_max = 10, read_only = false }: OpenOptions,
): Kysely<Schema> {
  const flags = [
    durability === 'normal' ? '-c synchronous_commit=off' : '',
    read_only ? '-c default_transaction_read_only=on' : '',
  ]
  const pool = new pg.Pool({
    connectionString: url,
    max: pool_max,
    options: flags.filter(Boolean).join(' ') || undefined,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined)
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
}
