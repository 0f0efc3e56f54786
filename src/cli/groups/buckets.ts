import type { Command } from 'commander'
import { ApiError } from '../client.ts'
import { jsonFlag } from '../flags.ts'
import { bytes, green, line } from '../output.ts'
import { type Column, column, command, group, listCommand, type Row, showRow, v1 } from './resource.ts'
import { followTask } from './tasks.ts'

const COLUMNS: Column[] = [
  column('id', 'bucket_id'),
  column('name', 'bucket_name'),
  column('objects', 'object_count'),
  { title: 'size', value: (row) => bytes(Number(row.total_size_bytes ?? 0)) },
  column('status', 'status'),
  column('created', 'created_at'),
]

/** `kura bucket …` */
export function addBucketCommands(program: Command): void {
  const parent = group(program, 'bucket', 'Make, list, change and delete buckets.')
  listCommand(
    parent,
    'list',
    'List buckets, newest first.',
    () => ({ path: '/v1/buckets/list' }),
    COLUMNS,
  ).option('--search <words>', 'part of an id, name, description or metadata; * and ? are wildcards')
  command(
    parent,
    'get <bucket>',
    'Show one bucket.',
    (client, [bucket]) => client.call<Row>('GET', v1('buckets', bucket!)),
    showRow,
  )
  command(
    parent,
    'create <name>',
    'Make a bucket.',
    async (client, [name], { schema, description, uniqueKey, policy }) =>
      client.call<Row>('POST', '/v1/buckets', {
        bucket_name: name,
        bucket_schema: schema ? await jsonFlag('--schema', String(schema)) : { properties: {} },
        ...(description !== undefined && { description }),
        ...(uniqueKey !== undefined && {
          unique_key: {
            fields: String(uniqueKey).split(','),
            ...(policy !== undefined && { default_policy: policy }),
          },
        }),
      }),
    showRow,
  )
    .option('--schema <json>', 'bucket schema: JSON, or @file')
    .option('--description <text>', 'what the bucket is for')
    .option('--unique-key <fields>', 'comma list of the fields that name an object')
    .option('--policy <policy>', 'what a known key does: insert, update or upsert')
  command(
    parent,
    'update <bucket>',
    'Change a bucket.',
    async (client, [bucket], { data }) => {
      if (!data)
        throw new ApiError(0, 'Say what to change: --data \'{"description":"…"}\' or --data @file.', null)
      return client.call<Row>('PATCH', v1('buckets', bucket!), await jsonFlag('--data', String(data)))
    },
    showRow,
  ).option('--data <json>', 'members to change: JSON, @file, or - for standard input')
  command(
    parent,
    'delete <bucket>',
    'Delete a bucket with its objects, and wait until it is gone.',
    async (client, [bucket], flags) => {
      const { task_id } = await client.call<{ task_id: string }>('DELETE', v1('buckets', bucket!))
      return followTask(client, task_id, { quiet: flags.json ?? false })
    },
    () => line(green('Deleted.')),
  )
}
