import { createRequire } from 'node:module'
import type { Client } from 'pg'
import { KuraError } from '../../core/errors.ts'
import type { OutboundGuard } from '../net/outbound-guard.ts'
import { jsonParser } from './postgresql-values.ts'
import { connectionFailed } from './source-http.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** A server that does not keep its own time limit is given this much more. */
const PATIENCE_MS = 10_000

export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

/** A checked `provider_config` of a PostgreSQL connection. */
export type PostgresSettings = {
  credentials: { username: string; password: string }
  host: string
  port: number
  database: string
  schema: string | null
  ssl_mode: (typeof SSL_MODES)[number]
  incremental_column?: string | null
  primary_key_columns?: string[] | null
  query_timeout_seconds: number
  fetch_size: number
}

type Driver = typeof import('pg')

/** A connected client; its address is the one that the guard has checked. Throws `connection_failed`, `url_not_allowed`. */
export async function openPostgresClient(settings: PostgresSettings, guard: OutboundGuard): Promise<Client> {
  const { ssl_mode } = settings
  const isOptional = ssl_mode === 'prefer' || ssl_mode === 'allow'
  try {
    const address = await checkedAddress(settings, guard)
    if (ssl_mode === 'disable') return await connect(settings, address, false)
    const encrypted = await connect(settings, address, true).catch((error: Error) => {
      if (isOptional && /does not support SSL/i.test(error.message)) return null
      throw error
    })
    return encrypted ?? (await connect(settings, address, false))
  } catch (error) {
    throw postgresError(error)
  }
}

function checkedAddress({ host, port }: PostgresSettings, guard: OutboundGuard): Promise<string> {
  return new Promise((resolve, reject) => {
    guard.lookup(port)(host, { all: false }, (error, address) => {
      if (error) reject(error)
      else resolve(address as string)
    })
  })
}

async function connect(settings: PostgresSettings, address: string, encrypted: boolean): Promise<Client> {
  const { credentials, host, port, database, query_timeout_seconds, ssl_mode } = settings
  const isVerified = ssl_mode.startsWith('verify')
  // The driver is only loaded where a PostgreSQL is used.
  const { Client, types } = createRequire(import.meta.url)('pg') as Driver
  const client = new Client({
    host: address,
    port,
    database,
    user: credentials.username,
    password: credentials.password,
    application_name: 'kura',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: query_timeout_seconds * 1000 + PATIENCE_MS,
    ssl: encrypted && {
      servername: host,
      rejectUnauthorized: isVerified,
      // verify-ca trusts the authority and takes any name.
      ...(ssl_mode === 'verify-ca' && { checkServerIdentity: () => undefined }),
    },
    types: {
      getTypeParser: ((oid: number) =>
        jsonParser(oid, (one) => types.getTypeParser(one, 'text'))) as typeof types.getTypeParser,
    },
  })
  // A connection that breaks between two questions is told by the next one.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
}

/** SQLSTATE and network codes, in words of our own: messages of a server can quote data. */
const REASONS: Record<string, string> = {
  '28P01': 'the server refuses the credentials',
  '28000': 'the server refuses the credentials, or this address without encryption (ssl_mode)',
  '3D000': 'the database does not exist',
  '3F000': 'the schema does not exist',
  '42P01': 'the table does not exist',
  '42501': 'the user may not read the table',
  '42703': 'the table has no column of the name in incremental_column or primary_key_columns',
  '57014': 'the query took longer than query_timeout_seconds',
  '53300': 'the server has no connection left',
  ENOTFOUND: 'the host name does not exist',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNREFUSED: 'the server refused the connection',
  ECONNRESET: 'the server closed the connection',
}

/** What the driver threw, as the port says it. */
export function postgresError(error: unknown): unknown {
  if (error instanceof KuraError) return error
  const { code = '', message = '' } = error as { code?: string; message?: string }
  if (REASONS[code]) return connectionFailed(REASONS[code], error)
  if (/timeout/i.test(message)) return connectionFailed('the server did not answer in time', error)
  if (/does not support SSL/i.test(message))
    return connectionFailed('the server does not speak TLS (ssl_mode)', error)
  if (/certificate|CERT_/i.test(`${message} ${code}`))
    return connectionFailed('the certificate of the server is not trusted (ssl_mode)', error)
  return connectionFailed(
    /^[0-9A-Z]{5}$/.test(code) ? `the database answered with error ${code}` : 'the connection broke',
    error,
  )
}
