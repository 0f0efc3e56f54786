import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import pg from 'pg'
import { type Db, type Dialect, openDb } from '../../src/platform/db/db.ts'
import { postgresFunctions } from '../../src/platform/db/filters/postgres-functions.ts'
import { migrate } from '../../src/platform/db/migrate.ts'
import { migrations } from '../../src/platform/db/migrations/index.ts'

/** Databases that this run can reach; PostgreSQL when KURA_TEST_POSTGRES_URL names a server. */
export const DIALECTS: readonly Dialect[] = process.env.KURA_TEST_POSTGRES_URL
  ? ['sqlite', 'postgres']
  : ['sqlite']

/** A fresh database with all tables, for tests of one store; `open` makes further connections to it. */
export async function testDb(dialect: Dialect): Promise<{ db: Db; open(): Db; close(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'kura-db-'))
  const { url, drop } = await createDatabase(dialect, home)
  const opened: Db[] = []
  const open = () => {
    const db = openDb(url, { durability: 'normal' })
    opened.push(db)
    return db
  }
  const db = open()
  await migrate(db, migrations)
  return {
    db,
    open,
    async close() {
      for (const one of opened) await one.destroy()
      await drop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** A fresh PostgreSQL database with our functions and no tables, for tests of what they compute. */
export async function postgresWithFunctions(): Promise<{ db: Db; close(): Promise<void> }> {
  const { url, drop } = await createDatabase('postgres', '')
  const db = openDb(url, { durability: 'normal' })
  for (const statement of postgresFunctions()) await sql.raw(statement).execute(db)
  return {
    db,
    async close() {
      await db.destroy()
      await drop()
    },
  }
}

/** The address of a fresh, empty database; `home` is the folder of the SQLite one. */
export async function createDatabase(
  dialect: Dialect,
  home: string,
): Promise<{ url: string; drop: () => Promise<void> }> {
  if (dialect === 'sqlite') return { url: `sqlite:${home}/kura.db`, drop: async () => undefined }
  const server = process.env.KURA_TEST_POSTGRES_URL
  if (!server) throw new Error('KURA_TEST_POSTGRES_URL names no PostgreSQL server.')
  const name = `kura_test_${randomBytes(6).toString('hex')}`
  await onServer(server, `create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => onServer(server, `drop database ${name} with (force)`) }
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
