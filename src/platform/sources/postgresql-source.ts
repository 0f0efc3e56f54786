import type { Client } from 'pg'
import Type from 'typebox'
import { sha256 } from '../../core/ids.ts'
import { canonicalJson, type JsonValue } from '../../core/json.ts'
import { Defaulted, Nullable, optional } from '../../core/schema.ts'
import type { OutboundGuard } from '../net/outbound-guard.ts'
import { openPostgresClient, type PostgresSettings, postgresError, SSL_MODES } from './postgresql-client.ts'
import { connectionFailed } from './source-http.ts'
import type {
  OpenSource,
  SourceConfig,
  SourceItem,
  SourceListOptions,
  SourceProvider,
} from './source-provider.ts'

/** Rows of the first fetch; how large rows are shows with them. */
const FIRST_ROWS = 20
const FETCH_BYTES_MAX = 16 * 1024 * 1024
/** The alias of the incremental column as text, beside the columns of the table. */
const POSITION = '__kura_position'

const Name = Type.String({ minLength: 1, maxLength: 63 })

/** Rows of a table or view of PostgreSQL. */
export const postgresqlSource: SourceProvider = {
  provider_type: 'postgresql',
  config: Type.Object({
    credentials: Type.Object({
      type: Defaulted(Type.Enum(['username_password']), 'username_password'),
      username: Type.String({ minLength: 1, maxLength: 256 }),
      password: Type.String({ maxLength: 4096 }),
    }),
    host: Type.String({ minLength: 1, maxLength: 253 }),
    port: Defaulted(Type.Integer({ minimum: 1, maximum: 65535 }), 5432),
    database: Name,
    schema: Defaulted(Nullable(Name), 'public'),
    ssl_mode: Defaulted(Type.Enum([...SSL_MODES]), 'prefer'),
    incremental_column: optional(Name),
    primary_key_columns: optional(Type.Array(Name, { maxItems: 32 })),
    query_timeout_seconds: Defaulted(Type.Integer({ minimum: 1, maximum: 3600 }), 300),
    fetch_size: Defaulted(Type.Integer({ minimum: 100, maximum: 10_000 }), 1000),
  }),
  secrets: ['credentials.password'],
  checkPath: (path, config) => tableOf(path, config).error,
  async open(config, { guard }) {
    const settings = config as unknown as PostgresSettings
    return settings.incremental_column
      ? new IncrementalPostgresSource(settings, guard)
      : new PostgresSource(settings, guard)
  },
}

type Table = { schema: string; table: string; error: string | null }

/** `table`, `schema.table` or `database.schema.table`, also with slashes; names in double quotes may hold anything. */
function tableOf(path: string, { database, schema }: SourceConfig): Table {
  const names = [...path.replace(/^\/+|\/+$/g, '').matchAll(/"((?:[^"]|"")+)"|([^"./]+)|([./])/g)]
  const isWhole =
    names.reduce((length, [text]) => length + text.length, 0) === path.replace(/^\/+|\/+$/g, '').length
  const parts = names
    .filter((_, i) => i % 2 === 0)
    .map(([, quoted, plain]) => quoted?.replace(/""/g, '"') ?? plain)
  const isList =
    names.length % 2 === 1 && names.every(([, , , dot], i) => (dot !== undefined) === (i % 2 === 1))
  const refused = (error: string) => ({ schema: '', table: '', error })
  if (!isWhole || !isList || parts.length > 3 || /\0/.test(path))
    return refused('The path names a table: table, schema.table or database.schema.table.')
  const [table = '', inSchema = (schema as string | null) ?? 'public', inDatabase = database] =
    parts.reverse()
  if (inDatabase !== database) return refused('The path names another database than the connection.')
  return { schema: inSchema as string, table, error: null }
}

class PostgresSource implements OpenSource {
  protected readonly settings: PostgresSettings
  readonly #guard: OutboundGuard
  readonly #open = new Set<Client>()

  constructor(settings: PostgresSettings, guard: OutboundGuard) {
    this.settings = settings
    this.#guard = guard
  }

  async test(signal: AbortSignal): Promise<void> {
    await this.#reading(signal, async (client) => {
      await client.query('select 1')
    })
  }

  async *list(source_path: string, { signal, cursor }: SourceListOptions): AsyncGenerator<SourceItem> {
    const { schema, table, error } = tableOf(source_path, this.settings)
    if (error) throw connectionFailed(error)
    const client = await this.#begin(signal)
    const stop = () => destroy(client)
    signal.addEventListener('abort', stop, { once: true })
    try {
      await client.query(
        `declare kura_rows no scroll cursor for ${selection(client, { schema, table }, this.settings, cursor)}`,
      )
      let count = FIRST_ROWS
      for (;;) {
        const { rows } = await client.query(`fetch forward ${count} from kura_rows`)
        for (const row of rows) yield this.#item(row, schema, table)
        if (rows.length < count) return
        count = nextCount(rows, this.settings.fetch_size)
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw postgresError(error)
    } finally {
      signal.removeEventListener('abort', stop)
      await this.#end(client)
    }
  }

  async close(): Promise<void> {
    for (const client of this.#open) await this.#end(client)
  }

  /** Told of every position as it passes. */
  protected passed(_position: string | null): void {
    // Only listings that go on from a position need it.
  }

  #item(
    { [POSITION]: position, ...values }: Record<string, unknown>,
    schema: string,
    table: string,
  ): SourceItem {
    this.passed((position as string | null | undefined) ?? null)
    const { host, port, database, primary_key_columns } = this.settings
    const version = sha256(canonicalJson(values as JsonValue))
    const key = primary_key_columns?.length ? keyOf(values, primary_key_columns) : version
    const name = `${host.toLowerCase()}:${port}/${database}/${schema}.${table}`
    return { kind: 'row', source_id: `${name}/${key}`, version, values }
  }

  async #reading(signal: AbortSignal, work: (client: Client) => Promise<void>): Promise<void> {
    const client = await this.#begin(signal)
    try {
      await work(client)
    } catch (error) {
      throw postgresError(error)
    } finally {
      await this.#end(client)
    }
  }

  /** A transaction that cannot write, and whose every query is bounded. */
  async #begin(signal: AbortSignal): Promise<Client> {
    signal.throwIfAborted()
    const client = await openPostgresClient(this.settings, this.#guard)
    this.#open.add(client)
    try {
      await client.query('begin read only')
      await client.query(`set local statement_timeout = ${this.settings.query_timeout_seconds * 1000}`)
      // Between two fetches the files of the rows before may be fetched, which takes its time.
      await client.query('set local idle_in_transaction_session_timeout = 0')
      await client.query("set local timezone = 'UTC'")
      await client.query("set local datestyle = 'ISO, YMD'")
      await client.query("set local bytea_output = 'hex'")
      return client
    } catch (error) {
      await this.#end(client)
      throw postgresError(error)
    }
  }

  async #end(client: Client): Promise<void> {
    if (!this.#open.delete(client)) return
    const timer = setTimeout(() => destroy(client), 1000)
    // The transaction only read; closing undoes nothing.
    await client.end().catch(() => undefined)
    clearTimeout(timer)
  }
}

/** Lists what the incremental column shows as new; rows that vanish cannot be told, so it has a cursor. */
class IncrementalPostgresSource extends PostgresSource {
  #position: string | null = null

  override async *list(source_path: string, options: SourceListOptions): AsyncGenerator<SourceItem> {
    this.#position = options.cursor
    yield* super.list(source_path, options)
  }

  cursor(): string | null {
    return this.#position
  }

  /** Rows come in the order of the column; those without a value come first. */
  protected override passed(position: string | null): void {
    if (position !== null) this.#position = position
  }
}

type Escape = Pick<Client, 'escapeIdentifier' | 'escapeLiteral'>

/** Rows at the position itself come again, as another may have got the same value since. */
function selection(
  client: Escape,
  { schema, table }: { schema: string; table: string },
  { incremental_column }: PostgresSettings,
  cursor: string | null,
): string {
  const from = `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(table)}`
  if (!incremental_column) return `select * from ${from}`
  const column = client.escapeIdentifier(incremental_column)
  const since =
    cursor === null ? '' : ` where ${column} >= ${client.escapeLiteral(cursor)} or ${column} is null`
  return `select *, ${column}::text as ${client.escapeIdentifier(POSITION)} from ${from}${since} order by ${column} nulls first`
}

function keyOf(values: Record<string, unknown>, columns: readonly string[]): string {
  const missing = columns.find((column) => !Object.hasOwn(values, column))
  if (missing !== undefined)
    throw connectionFailed('the table has no column of the name in primary_key_columns')
  const key = JSON.stringify(columns.map((column) => values[column]))
  // Whatever the column holds, the identity stays short.
  return key.length > 500 ? sha256(key) : key
}

function nextCount(rows: readonly object[], fetch_size: number): number {
  const size_bytes = rows.reduce((sum, row) => sum + JSON.stringify(row).length, 0)
  const fitting = Math.floor(FETCH_BYTES_MAX / Math.max(1, size_bytes / rows.length))
  return Math.max(1, Math.min(fetch_size, fitting))
}

/** The driver has no other way to leave a server that does not answer. */
function destroy(client: Client): void {
  ;(client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
}
