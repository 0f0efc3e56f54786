import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  type LimitNode,
  type QueryResult,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type TransactionSettings,
} from 'kysely'
import type { OpenOptions } from './db.ts'
import { registerFilterFunctions } from './filters/sqlite-functions.ts'
import type { Schema } from './schema.ts'
import { keepTurnReads, TurnReads } from './turn-reads.ts'

/** How long a write waits for other processes before it gives up. */
const BUSY_TIMEOUT_MS = 15_000
/**
 * Pages (32 MB) that the log collects before they go to the database. Inserts of documents touch many
 * indexes, and a page that changes ten times is then written once: half the time of a commit at SQLite's 1000.
 */
const CHECKPOINT_PAGES = 8000
/** How long opening waits, inside SQLite: nothing else runs on a connection that is not open yet. */
const OPEN_TIMEOUT_MS = 10_000
/** Distinct SQL texts kept prepared per connection; filters make new ones, so there is a bound. */
const STATEMENTS_MAX = 500
const SQLITE_BUSY = 5
/** Transactions one after the other keep the event loop for no longer than this, and one of them. */
const TURN_MS = 10

/**
 * SQLite plans by the value of a bare `limit ?`, and so prepares the statement anew whenever the
 * parameter is bound, which costs more than most statements take. An expression is left alone.
 */
class QueryCompiler extends SqliteQueryCompiler {
  protected override visitLimit({ limit }: LimitNode): void {
    this.append('limit +')
    this.visitNode(limit)
  }
}

/** node:sqlite behind Kysely: one writer and one reader connection to one WAL database. */
export function openSqlite(path: string, options: OpenOptions): Kysely<Schema> {
  const turns = new TurnReads()
  const dialect: Dialect = {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new SqliteDriver(path, options, turns),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new QueryCompiler(),
  }
  const db = new Kysely<Schema>({ dialect })
  keepTurnReads(db.getExecutor().adapter, turns)
  return db
}

/**
 * Reads outside transactions run at once on the reader connection; WAL lets them ignore writers.
 * Writes take turns on the writer connection, and wait for other processes without blocking the
 * event loop (SQLite's own busy handler would sleep inside the call).
 */
class SqliteDriver implements Driver {
  readonly #path: string
  readonly #options: OpenOptions
  readonly #turns: TurnReads
  #writer: Handle | undefined
  #reader: Handle | undefined
  /** Snapshots pin what they see, so they must not share the handle of plain reads. */
  #snapshot: Handle | undefined
  readonly #writeTurn = new Mutex()
  readonly #snapshotTurn = new Mutex()
  #turned_at = 0

  constructor(path: string, options: OpenOptions, turns: TurnReads) {
    this.#path = path
    this.#options = options
    this.#turns = turns
  }

  async init(): Promise<void> {
    if (this.#path !== ':memory:') mkdirSync(dirname(this.#path), { recursive: true })
    if (!this.#options.read_only) this.#writer = openHandle(this.#path, this.#options)
    this.#reader = openHandle(this.#path, this.#options)
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    return new SqliteConnection(this.#reader!, () => this.#lockWriter(), this.#turns)
  }

  async #lockWriter(): Promise<{ handle: Handle; release: () => void }> {
    if (!this.#writer) throw new Error('The database is open for reading only.')
    const release = await this.#writeTurn.lock()
    return { handle: this.#writer, release }
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const target = connection as SqliteConnection
    await this.#letOthersRun()
    if (settings.accessMode === 'read only') {
      const release = await this.#snapshotTurn.lock()
      this.#snapshot ??= openHandle(this.#path, this.#options)
      this.#snapshot.database.exec('begin')
      target.enter(this.#snapshot, release)
      return
    }
    const { handle, release } = await this.#lockWriter()
    try {
      await whenNotBusy(() => handle.database.exec('begin immediate'))
    } catch (error) {
      release()
      throw error
    }
    target.enter(handle, release)
  }

  /**
   * Nothing here waits for the event loop, so a job that writes slice by slice would keep it until its
   * end: no request is answered then, no other job goes on, and no heartbeat prolongs a lease.
   */
  async #letOthersRun(): Promise<void> {
    if (performance.now() - this.#turned_at < TURN_MS) return
    await nextTurn()
    this.#turned_at = performance.now()
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as SqliteConnection).leave('commit')
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as SqliteConnection).leave('rollback')
  }

  async releaseConnection(): Promise<void> {
    // Connections are views on two shared handles: there is nothing to give back.
  }

  async destroy(): Promise<void> {
    for (const handle of [this.#snapshot, this.#reader, this.#writer]) handle?.database.close()
    this.#snapshot = undefined
    this.#reader = undefined
    this.#writer = undefined
  }
}

type Handle = { database: DatabaseSync; statements: Map<string, Prepared> }

/** Whether a statement gives rows is asked once: the answer builds a list of all columns each time. */
type Prepared = { statement: StatementSync; hasRows: boolean }

function openHandle(path: string, { durability, read_only = false }: OpenOptions): Handle {
  const database = new DatabaseSync(path, { readOnly: read_only })
  // While another process recovers the log of one that was killed, even opening finds the file busy.
  database.exec(`pragma busy_timeout = ${OPEN_TIMEOUT_MS}`)
  if (!read_only) database.exec('pragma journal_mode = wal')
  database.exec(`
    pragma synchronous = ${durability === 'full' ? 'full' : 'normal'};
    pragma foreign_keys = on;
    pragma temp_store = memory;
    pragma cache_size = -65536;
    pragma mmap_size = 1073741824;
    pragma wal_autocheckpoint = ${CHECKPOINT_PAGES};
    pragma busy_timeout = 0;
  `)
  registerFilterFunctions(database)
  return { database, statements: new Map() }
}

class SqliteConnection implements DatabaseConnection {
  readonly #reader: Handle
  readonly #lockWriter: () => Promise<{ handle: Handle; release: () => void }>
  readonly #turns: TurnReads
  #transaction: { handle: Handle; release: () => void } | undefined

  constructor(
    reader: Handle,
    lockWriter: () => Promise<{ handle: Handle; release: () => void }>,
    turns: TurnReads,
  ) {
    this.#reader = reader
    this.#lockWriter = lockWriter
    this.#turns = turns
  }

  enter(handle: Handle, release: () => void): void {
    this.#transaction = { handle, release }
  }

  async leave(how: 'commit' | 'rollback'): Promise<void> {
    const { handle, release } = this.#transaction!
    try {
      // A failed statement may have ended the transaction already; rolling back nothing is fine.
      if (how === 'commit' || handle.database.isTransaction)
        await whenNotBusy(() => handle.database.exec(how))
    } catch (error) {
      if (handle.database.isTransaction) handle.database.exec('rollback')
      throw error
    } finally {
      this.#transaction = undefined
      this.#turns.forget()
      release()
    }
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.#transaction) return execute<R>(this.#transaction.handle, query)
    if (isRead(query)) return whenNotBusy(() => execute<R>(this.#reader, query))
    const { handle, release } = await this.#lockWriter()
    try {
      return await whenNotBusy(() => execute<R>(handle, query))
    } finally {
      this.#turns.forget()
      release()
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    const handle = this.#transaction?.handle ?? this.#reader
    // Not the cached statement: an iteration that is left open would disturb the next user of it.
    for (const row of handle.database.prepare(query.sql).iterate(...bindable(query.parameters))) {
      yield { rows: [row as R] }
    }
  }
}

const isRead = ({ query, sql }: CompiledQuery) => SelectQueryNode.is(query) || /^\s*select\b/i.test(sql)

function execute<R>(handle: Handle, { sql, parameters }: CompiledQuery): QueryResult<R> {
  const { statement, hasRows } = prepared(handle, sql)
  const values = bindable(parameters)
  if (hasRows) return { rows: statement.all(...values) as R[] }
  const { changes, lastInsertRowid } = statement.run(...values)
  return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] }
}

function prepared({ database, statements }: Handle, sql: string): Prepared {
  const known = statements.get(sql)
  if (known) return known
  if (statements.size >= STATEMENTS_MAX) {
    // Map keeps insertion order, so this drops the text prepared longest ago.
    const [oldest] = statements.keys()
    statements.delete(oldest!)
  }
  const statement = database.prepare(sql)
  const fresh = { statement, hasRows: statement.columns().length > 0 }
  statements.set(sql, fresh)
  return fresh
}

/** SQLite has no booleans; the schema stores 0 and 1. */
function bindable(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) =>
    typeof value === 'boolean' ? Number(value) : value === undefined ? null : value,
  ) as SQLInputValue[]
}

async function whenNotBusy<T>(action: () => T): Promise<T> {
  const deadline = performance.now() + BUSY_TIMEOUT_MS
  for (let wait_ms = 1; ; wait_ms = Math.min(wait_ms * 2, 20)) {
    try {
      return action()
    } catch (error) {
      const code = (error as { errcode?: number }).errcode
      // The low byte is the primary code: BUSY_SNAPSHOT and BUSY_RECOVERY are busy too.
      if (code === undefined || (code & 0xff) !== SQLITE_BUSY || performance.now() > deadline) throw error
      await sleep(wait_ms)
    }
  }
}

class Mutex {
  #tail: Promise<void> = Promise.resolve()

  /** Waits for its turn; the caller MUST call the returned function once. */
  async lock(): Promise<() => void> {
    let release!: () => void
    const previous = this.#tail
    this.#tail = new Promise((resolve) => {
      release = resolve
    })
    await previous
    return release
  }
}
