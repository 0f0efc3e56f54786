import type { Command } from 'commander'
import { ApiError } from '../client.ts'
import { collect, jsonFlag, positive } from '../flags.ts'
import { green, line } from '../output.ts'
import {
  type Column,
  column,
  command,
  type GroupFlags,
  group,
  listCommand,
  type Row,
  showRow,
  v1,
} from './resource.ts'
import { watchTask } from './tasks.ts'

const CONNECTION_COLUMNS: Column[] = [
  column('id', 'connection_id'),
  column('name', 'name'),
  column('provider', 'provider_type'),
  column('status', 'status'),
  column('created', 'created_at'),
]

/** `kura connection …` */
export function addConnectionCommands(program: Command): void {
  const parent = group(program, 'connection', 'Reach the stores that syncs read.')
  const at = (...more: string[]) => v1('organizations', 'connections', ...more)
  listCommand(parent, 'list', 'List connections.', () => ({ path: at('list') }), CONNECTION_COLUMNS)
  command(
    parent,
    'get <connection>',
    'Show one connection.',
    (client, [id]) => client.call<Row>('GET', at(id!)),
    showRow,
  )
  command(
    parent,
    'create <name>',
    'Make a connection after a test of it.',
    async (client, [name], { provider, config }) => {
      if (!provider || !config)
        throw new ApiError(0, "Say --provider <type> and --config '{…}' (or --config @file).", null)
      const provider_config = (await jsonFlag('--config', String(config))) as Row
      return client.call<Row>('POST', at(), {
        name,
        provider_type: provider,
        provider_config: { provider_type: provider, ...provider_config },
      })
    },
    showRow,
  )
    .option(
      '--provider <type>',
      's3, local, http, webdav, sftp, google_drive, sharepoint, postgresql, rss, …',
    )
    .option('--config <json>', 'how to reach it: JSON, @file, or - for standard input')
  command(
    parent,
    'test <connection>',
    'Try a connection.',
    (client, [id]) => client.call<Row>('POST', at(id!, 'test')),
    showRow,
  )
  command(
    parent,
    'delete <connection>',
    'Archive a connection; its syncs stop.',
    (client, [id]) => client.call<Row>('DELETE', at(id!)),
    () => line(green('Deleted.')),
  )
}

const SYNC_COLUMNS: Column[] = [
  column('id', 'sync_config_id'),
  column('connection', 'connection_id'),
  column('path', 'source_path'),
  column('mode', 'sync_mode'),
  column('status', 'status'),
  column('last run', 'last_sync_at'),
]

/** `kura sync …` */
export function addSyncCommands(program: Command): void {
  const parent = group(program, 'sync', 'Keep a bucket in step with a folder, a store or a table.')
  const at = (bucket: string, ...more: string[]) => v1('buckets', bucket, 'syncs', ...more)
  listCommand(
    parent,
    'list <bucket>',
    'List the syncs of a bucket.',
    ([bucket]) => ({ path: at(bucket!, 'list') }),
    SYNC_COLUMNS,
  )
  command(
    parent,
    'get <bucket> <sync>',
    'Show one sync.',
    (client, [bucket, id]) => client.call<Row>('GET', at(bucket!, id!)),
    showRow,
  )
  command(
    parent,
    'create <bucket> <connection> <path>',
    'Read what is under a path, now and whenever it changes.',
    (client, [bucket, connection_id, source_path], flags) =>
      createSync(flags).then((options) =>
        client.call<Row>('POST', at(bucket!), { connection_id, source_path, ...options }),
      ),
    showRow,
  )
    .option('--once', 'read it this once only')
    .option('--include <pattern>', 'only files whose path fits; may be repeated', collect)
    .option('--exclude <pattern>', 'no files whose path fits; may be repeated', collect)
    .option('--interval <seconds>', 'time between looks, 30 to 900', positive)
    .option('--mapping <json>', 'schema mapping: JSON or @file')
  command(
    parent,
    'trigger <bucket> <sync>',
    'Run a sync now and follow it.',
    async (client, [bucket, id], flags) => {
      const { task_id } = await client.call<{ task_id: string }>('POST', at(bucket!, id!, 'trigger'))
      return watchTask(client, task_id, { quiet: flags.json ?? false })
    },
    showRow,
  )
  for (const [verb, description] of [
    ['pause', 'Hold a sync; a run under way finishes.'],
    ['resume', 'Go on with a sync that was paused or has failed.'],
  ] as const)
    command(
      parent,
      `${verb} <bucket> <sync>`,
      description,
      (client, [bucket, id]) => client.call<Row>('POST', at(bucket!, id!, verb)),
      showRow,
    )
  command(
    parent,
    'delete <bucket> <sync>',
    'End a sync; its objects stay.',
    (client, [bucket, id]) => client.call<Row>('DELETE', at(bucket!, id!)),
    () => line(green('Deleted.')),
  )
}

async function createSync({ once, include, exclude, interval, mapping }: GroupFlags): Promise<Row> {
  const file_filters = {
    ...(include !== undefined && { include_patterns: include }),
    ...(exclude !== undefined && { exclude_patterns: exclude }),
  }
  return {
    sync_mode: once ? 'initial_only' : 'continuous',
    ...(Object.keys(file_filters).length > 0 && { file_filters }),
    ...(interval !== undefined && { polling_interval_seconds: interval }),
    ...(mapping !== undefined && { schema_mapping: await jsonFlag('--mapping', String(mapping)) }),
  }
}
