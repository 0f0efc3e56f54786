import { createRequire } from 'node:module'
import { Kysely, PostgresDialect } from 'kysely'
import type { OpenOptions } from './db.ts'
import type { Schema } from './schema.ts'

type Driver = typeof import('pg')

/** The driver is only loaded where a PostgreSQL is used; the embedded start saves 25 ms. */
const driver = () => createRequire(import.meta.url)('pg') as Driver

/** PostgreSQL type ids (pg_type.oid) whose default JavaScript form differs from what SQLite returns. */
const INT8 = 20
const NUMERIC = 1700
const JSON_TYPE = 114
const JSONB = 3802

/**
 * Makes rows of both databases look alike: counts are numbers and JSON columns are text, parsed
 * once by the store that reads them.
 */
function parserOf(types: Driver['types'], oid: number, format?: string) {
  if (oid === INT8 || oid === NUMERIC) return Number
  if (oid === JSON_TYPE || oid === JSONB) return (text: string) => text
  return types.getTypeParser(oid, format as 'text')
}

export function openPostgres(
  url: string,
  { durability, pool_max = 10, read_only = false }: OpenOptions,
): Kysely<Schema> {
  const flags = [
    // Compiled filters are long expressions that run for milliseconds; compiling one to machine code
    // took 24 s (200 conditions, 300 rows) where running it took 50 ms.
    '-c jit=off',
    durability === 'normal' ? '-c synchronous_commit=off' : '',
    read_only ? '-c default_transaction_read_only=on' : '',
  ]
  const { Pool, types } = driver()
  const pool = new Pool({
    connectionString: url,
    max: pool_max,
    options: flags.filter(Boolean).join(' '),
    types: {
      getTypeParser: ((oid: number, format?: string) =>
        parserOf(types, oid, format)) as typeof types.getTypeParser,
    },
  })
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined)
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
}
