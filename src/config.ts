import { resolve } from 'node:path'
import Type, { type Static } from 'typebox'
import { KuraError, type Violation } from './core/errors.ts'
import { Defaulted } from './core/schema.ts'
import { validator } from './core/validation.ts'

const MIB = 1024 * 1024

/** Every setting: its environment name is `KURA_` + the upper-case name, its flag `--` + the name with dashes. */
export const ConfigSchema = Type.Object({
  home: Defaulted(
    Type.String({ minLength: 1, description: 'Folder of the embedded database, files and indexes.' }),
    './.kura',
  ),
  host: Defaulted(Type.String({ minLength: 1, description: 'Address to listen on.' }), '127.0.0.1'),
  port: Defaulted(
    Type.Integer({ minimum: 0, maximum: 65535, description: 'Port to listen on; 0 picks a free one.' }),
    8787,
  ),
  root_key: Type.Optional(
    Type.String({ minLength: 16, description: 'The first API key; made and kept in the home when absent.' }),
  ),
  master_key: Type.Optional(
    Type.String({
      minLength: 16,
      description:
        'Encrypts stored secrets; made and kept in the home when absent. Servers of one database share it.',
    }),
  ),
  database_url: Type.Optional(Type.String({ description: 'sqlite:<path> or postgres://…' })),
  storage_url: Type.Optional(
    Type.String({ description: 'Where files lie: file:<path> or s3://<bucket>/<prefix>.' }),
  ),
  s3_endpoint: Type.Optional(
    Type.String({ description: 'Address of an S3-compatible store; Amazon itself when absent.' }),
  ),
  s3_region: Type.Optional(Type.String({ description: 'Region of the bucket; else AWS_REGION.' })),
  s3_path_style: Type.Optional(
    Type.Boolean({
      description: 'Names the bucket in the path, not in the host; true when an endpoint is set.',
    }),
  ),
  s3_access_key_id: Type.Optional(
    Type.String({ description: 'Access key of the store; else the usual AWS environment, files and roles.' }),
  ),
  s3_secret_access_key: Type.Optional(Type.String({ description: 'Secret of the access key.' })),
  s3_presign: Defaulted(
    Type.Boolean({
      description: 'Clients send uploads straight to the store; set false where they cannot reach it.',
    }),
    true,
  ),
  s3_public_endpoint: Type.Optional(
    Type.String({ description: 'Address at which clients reach the store, when it is not s3_endpoint.' }),
  ),
  models: Type.Optional(Type.String({ description: 'Folder of model directories.' })),
  text_model: Defaulted(
    Type.String({
      description:
        'Model of the text slot: a directory name under models, or "hash" for the weightless built-in.',
    }),
    'all-minilm-l6-v2',
  ),
  engine_processes: Defaulted(
    Type.Integer({ minimum: 0, maximum: 256, description: 'Engine processes of `kura serve`; 0 runs none.' }),
    1,
  ),
  engine_transfers: Defaulted(
    Type.Integer({
      minimum: 1,
      maximum: 64,
      description:
        'Jobs of one engine process that wait for other machines at once: syncs, deletions and copies; as many deliveries and confirmations.',
    }),
    8,
  ),
  model_threads: Defaulted(
    Type.Integer({ minimum: 1, maximum: 256, description: 'Threads of one model in one process.' }),
    1,
  ),
  engine_memory_bytes: Defaulted(
    Type.Integer({
      minimum: 256 * MIB,
      description: 'An engine process that uses more memory is killed and started anew.',
    }),
    4096 * MIB,
  ),
  row_timeout_seconds: Defaulted(
    Type.Integer({ minimum: 1, maximum: 86_400, description: 'Longest time one row may take to process.' }),
    600,
  ),
  public_url: Type.Optional(
    Type.String({ description: 'Address that clients use, for signed URLs; the request host when absent.' }),
  ),
  cors_origins: Defaulted(
    Type.String({ description: 'Comma list of browser origins that may call the API.' }),
    '',
  ),
  trusted_proxies: Defaulted(
    Type.String({
      description:
        'Comma list of proxies (address or CIDR) whose X-Forwarded-For tells the address of a client.',
    }),
    '',
  ),
  wrong_keys_per_minute: Defaulted(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description: 'Wrong API keys that one address may send a minute; 0 sets no limit.',
    }),
    300,
  ),
  rate_limit_per_minute: Defaulted(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000_000,
      description:
        'Requests that a key may make a minute, by category; an organization may set its own. 0: no limits.',
    }),
    0,
  ),
  allowed_private_hosts: Defaulted(
    Type.String({
      description: 'Comma list of private hosts or networks (CIDR) that outbound requests may reach.',
    }),
    '',
  ),
  webhook_allow_http: Defaulted(
    Type.Boolean({ description: 'Lets webhooks use http; without it they need https.' }),
    false,
  ),
  smtp_url: Type.Optional(
    Type.String({ description: 'Mail server of e-mail webhooks: smtp(s)://user:password@host:port.' }),
  ),
  smtp_from: Defaulted(
    Type.String({ minLength: 1, description: 'Sender of e-mail webhooks.' }),
    'kura@localhost',
  ),
  local_source_roots: Defaulted(
    Type.String({
      description:
        'Comma list of absolute folders that connections of provider "local" may read; none when empty.',
    }),
    '',
  ),
  google_api_url: Defaulted(
    Type.String({ minLength: 1, description: 'Address of the Google APIs that connections of Drive use.' }),
    'https://www.googleapis.com',
  ),
  google_token_url: Defaulted(
    Type.String({ minLength: 1, description: 'Where Google gives access tokens.' }),
    'https://oauth2.googleapis.com/token',
  ),
  microsoft_graph_url: Defaulted(
    Type.String({
      minLength: 1,
      description: 'Address of Microsoft Graph for SharePoint connections; national clouds have their own.',
    }),
    'https://graph.microsoft.com/v1.0',
  ),
  microsoft_login_url: Defaulted(
    Type.String({ minLength: 1, description: 'Where Microsoft gives access tokens.' }),
    'https://login.microsoftonline.com',
  ),
  body_limit_bytes: Defaulted(
    Type.Integer({ minimum: 1024, description: 'Largest JSON request body.' }),
    100 * MIB,
  ),
  inline_blob_limit_bytes: Defaulted(
    Type.Integer({ minimum: 1, description: 'Largest inline blob after decoding.' }),
    50 * MIB,
  ),
  url_blob_limit_bytes: Defaulted(
    Type.Integer({ minimum: 1, description: 'Largest blob fetched from a URL.' }),
    5 * 1024 * MIB,
  ),
  upload_limit_bytes: Defaulted(
    Type.Integer({ minimum: 1, description: 'Largest file of an upload.' }),
    50 * 1024 * MIB,
  ),
  open_uploads_per_bucket: Defaulted(
    Type.Integer({
      minimum: 1,
      description: 'Uploads of one bucket that are neither confirmed nor expired.',
    }),
    10_000,
  ),
  open_uploads: Defaulted(
    Type.Integer({ minimum: 1, description: 'As above, of the whole organization.' }),
    100_000,
  ),
  resumable_upload_seconds: Defaulted(
    Type.Integer({ minimum: 60, description: 'Longest time a resumable upload may take.' }),
    3 * 86_400,
  ),
  log_level: Defaulted(Type.Enum(['silent', 'error', 'warn', 'info', 'debug']), 'info'),
})

type Settings = Static<typeof ConfigSchema>

export type Config = Readonly<
  Omit<Settings, 'database_url' | 'storage_url'> & { database_url: string; storage_url: string }
>

/** Settings by name, as flags give them; they win over the environment. */
export type ConfigFlags = Partial<Record<keyof Settings, string | number | undefined>>

/** Reads flags and environment once and checks them; the result is frozen. Throws `config_invalid`. */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env, flags: ConfigFlags = {}): Config {
  const given: Record<string, unknown> = {}
  for (const name of Object.keys(ConfigSchema.properties) as (keyof Settings)[]) {
    const value = flags[name] ?? environment[`KURA_${name.toUpperCase()}`]
    if (value !== undefined && value !== '') given[name] = value
  }
  const violations: Violation[] = []
  const settings = validator(ConfigSchema)(given, [], violations) as Settings
  if (violations.length > 0)
    throw new KuraError('config_invalid', { reason: violations.map(describe).join(' ') })
  const home = resolve(settings.home)
  const config: Config = {
    ...settings,
    home,
    database_url: settings.database_url ?? `sqlite:${home}/kura.db`,
    storage_url: settings.storage_url ?? `file:${home}/blobs`,
  }
  refuseOpenHost(config)
  return Object.freeze(config)
}

const describe = ({ loc, msg }: Violation) => `KURA_${String(loc[0]).toUpperCase()}: ${msg}.`

const LOOPBACK = /^(?:127\.|::1$|localhost$)/

/** A key that was only printed to a terminal must not be what guards an open port. */
function refuseOpenHost({ host, root_key }: Config): void {
  if (LOOPBACK.test(host) || root_key) return
  throw new KuraError('config_invalid', {
    reason: `Set KURA_ROOT_KEY before listening on ${host}: other machines can reach that address.`,
  })
}
