import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { ApiError, type Client } from '../client.ts'
import { collect, positive } from '../flags.ts'
import { bold, green, line, yellow } from '../output.ts'
import {
  type Column,
  column,
  command,
  group,
  listCommand,
  type Row,
  showRow,
  showRows,
  v1,
} from './resource.ts'

const ORGANIZATION = ['organizations'] as const
/** The user whom the first key belongs to. */
const DEFAULT_USER = 'admin@localhost'

const KEY_COLUMNS: Column[] = [
  column('id', 'key_id'),
  column('name', 'name'),
  column('key', 'key_prefix'),
  column('permissions', 'permissions'),
  column('status', 'status'),
  column('last used', 'last_used_at'),
  column('expires', 'expires_at'),
]

/** `kura key …` */
export function addKeyCommands(program: Command): void {
  const parent = group(program, 'key', 'Make, list, rotate and revoke API keys.')
  const keysOf = (user: unknown) => v1(...ORGANIZATION, 'users', String(user ?? DEFAULT_USER), 'api-keys')
  const withUser = (one: Command) => one.option('--user <email>', 'whose keys', DEFAULT_USER)
  withUser(
    command(
      parent,
      'list',
      'List the keys of a user.',
      (client, _args, { user }) => client.call<{ results: Row[] }>('GET', keysOf(user)),
      (page) => showRows(page, KEY_COLUMNS),
    ),
  )
  withUser(
    command(
      parent,
      'create <name>',
      'Make a key; it is shown this once.',
      (client, [name], { user, permission, expires }) =>
        client.call<Row>('POST', keysOf(user), {
          name,
          ...(permission !== undefined && { permissions: permission }),
          ...(expires !== undefined && { expires_at: expires }),
        }),
      showKey,
    ),
  )
    .option('--permission <permission>', 'read, write, delete or admin; may be repeated', collect)
    .option('--expires <time>', 'when it ends, as ISO 8601')
  withUser(
    command(
      parent,
      'rotate <name>',
      'Replace the secret of a key; the new one is shown this once.',
      (client, [name], { user }) =>
        client.call<Row>('POST', `${keysOf(user)}/${encodeURIComponent(name!)}/rotate`),
      showKey,
    ),
  )
  withUser(
    command(
      parent,
      'revoke <name>',
      'End a key at once.',
      (client, [name], { user }) =>
        client.call<Row>('DELETE', `${keysOf(user)}/${encodeURIComponent(name!)}`),
      () => line(green('Revoked.')),
    ),
  )
}

function showKey(row: Row): void {
  line(`${bold(String(row.key ?? row.api_key))}`)
  line(yellow('Keep it now: it is not shown again.'))
}

const WEBHOOK_COLUMNS: Column[] = [
  column('id', 'webhook_id'),
  column('name', 'webhook_name'),
  column('events', 'event_types'),
  column('active', 'is_active'),
]

const DELIVERY_COLUMNS: Column[] = [
  column('id', 'delivery_id'),
  column('event', 'event_type'),
  column('status', 'status'),
  column('attempts', 'attempt_count'),
  column('answer', 'response_status'),
  column('created', 'created_at'),
]

/** `kura webhook …` */
export function addWebhookCommands(program: Command): void {
  const parent = group(program, 'webhook', 'Have events sent to an address, and see how that went.')
  const at = (...more: string[]) => v1(...ORGANIZATION, 'webhooks', ...more)
  listCommand(parent, 'list', 'List webhooks.', () => ({ path: at('list') }), WEBHOOK_COLUMNS)
  command(
    parent,
    'get <webhook>',
    'Show one webhook.',
    (client, [id]) => client.call<Row>('GET', at(id!)),
    showRow,
  )
  command(
    parent,
    'create <name> <address>',
    'Send events to an address, signed with a secret that is shown this once.',
    async (client, [name, url], { event }) => {
      const secret = `whsec_${randomBytes(24).toString('base64')}`
      const made = await client.call<Row>('POST', at(), {
        webhook_name: name,
        event_types: (event as string[] | undefined) ?? ['*'],
        channels: [{ channel: 'webhook', configs: { url, secret } }],
      })
      return { webhook_id: String(made.webhook_id), ...made, secret }
    },
    (made) => {
      line(`${made.webhook_id}: signed with ${bold(String(made.secret))}`)
      line(yellow('Keep the secret now: it is not shown again.'))
    },
  ).option('--event <type>', 'an event type; may be repeated; all when absent', collect)
  command(
    parent,
    'deliveries <webhook>',
    'List what was sent, newest first.',
    (client, [id], { limit = 20 }) =>
      client.call<{ results: Row[] }>('GET', `${at(id!, 'deliveries')}?limit=${limit}`),
    (page) => showRows(page, DELIVERY_COLUMNS),
  ).option('--limit <count>', 'rows to show', positive, 20)
  command(
    parent,
    'test <webhook>',
    'Send a test event now.',
    (client, [id]) => client.call<Row>('POST', at(id!, 'test')),
    showRow,
  )
  command(
    parent,
    'replay <webhook> <delivery>',
    'Send a delivery again.',
    (client, [id, delivery]) => client.call<Row>('POST', at(id!, 'deliveries', delivery!, 'replay')),
    showRow,
  )
  command(
    parent,
    'delete <webhook>',
    'Stop sending.',
    (client, [id]) => client.call<null>('DELETE', at(id!)),
    () => line(green('Deleted.')),
  )
}

/** `kura secret …` */
export function addSecretCommands(program: Command): void {
  const parent = group(program, 'secret', 'Keep credentials that templates name as {{secrets.NAME}}.')
  const at = (...more: string[]) => v1(...ORGANIZATION, 'secrets', ...more)
  command(
    parent,
    'list',
    'List the names of secrets; values are never shown.',
    (client) => client.call<{ secrets: string[] }>('GET', at()),
    ({ secrets }) => {
      for (const name of secrets) line(name)
    },
  )
  command(
    parent,
    'set <name>',
    'Store the value that standard input brings, new or in place of the old one.',
    async (client, [name]) => setSecret(client, at, name!, await readValue()),
    () => line(green('Stored.')),
  )
  command(
    parent,
    'delete <name>',
    'Forget a secret.',
    (client, [name]) => client.call<Row>('DELETE', at(name!)),
    () => line(green('Deleted.')),
  )
}

/** A value on the command line would stay in the history of the shell. */
async function readValue(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('Value, then Ctrl-D: ')
  let value = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) value += chunk
  value = value.replace(/\r?\n$/, '')
  if (value === '') throw new ApiError(0, 'The value on standard input is empty.', null)
  return value
}

async function setSecret(
  client: Client,
  at: (...more: string[]) => string,
  name: string,
  secret_value: string,
): Promise<Row> {
  try {
    return await client.call<Row>('PUT', at(name), { secret_value })
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error
    return client.call<Row>('POST', at(), { secret_name: name, secret_value })
  }
}
