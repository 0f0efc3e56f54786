import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Command } from 'commander'
import { ApiError } from '../client.ts'
import { collect, jsonFlag, pairs } from '../flags.ts'
import { bytes, green, line } from '../output.ts'
import {
  type Column,
  cell,
  column,
  command,
  type GroupFlags,
  group,
  listCommand,
  type Row,
  showRow,
  v1,
} from './resource.ts'

type BlobRow = { property?: string; details?: { filename?: string; size_bytes?: number } }

const COLUMNS: Column[] = [
  column('id', 'object_id'),
  column('status', 'status'),
  {
    title: 'files',
    value: (row) =>
      cell(
        ((row.blobs ?? []) as BlobRow[])
          .map(({ property, details }) => details?.filename ?? property)
          .join(', '),
      ),
  },
  {
    title: 'size',
    value: (row) =>
      bytes(
        ((row.blobs ?? []) as BlobRow[]).reduce((sum, { details }) => sum + (details?.size_bytes ?? 0), 0),
      ),
  },
  column('created', 'created_at'),
  { title: 'fields', value: (row) => cell(userFields(row)) },
]

/** Members that the server sets; what is left are the user's own. */
const SYSTEM = new Set([
  'object_id',
  'bucket_id',
  'namespace_id',
  'key_prefix',
  'blobs',
  'source_details',
  'status',
  'error',
  'created_at',
  'updated_at',
  'content_hash',
])

const userFields = (row: Row) => Object.fromEntries(Object.entries(row).filter(([name]) => !SYSTEM.has(name)))

/** `kura object …` */
export function addObjectCommands(program: Command): void {
  const parent = group(program, 'object', 'Make, list, change and delete the objects of a bucket.')
  listCommand(
    parent,
    'list <bucket>',
    'List objects, newest first.',
    ([bucket], { where }) => ({
      path: v1('buckets', bucket!, 'objects', 'list'),
      body: where ? { filters: pairs('--where', where as string[]) } : {},
    }),
    COLUMNS,
  )
    .option('--search <words>', 'part of an id, key prefix, file name or text field')
    .option('--where <name=value>', 'only objects with this field; may be repeated', collect)
  command(
    parent,
    'get <bucket> <object>',
    'Show one object.',
    (client, [bucket, object]) => client.call<Row>('GET', v1('buckets', bucket!, 'objects', object!)),
    showRow,
  )
  objectFlags(
    command(
      parent,
      'create <bucket>',
      'Make an object from fields and small files (larger ones: kura upload).',
      async (client, [bucket], flags) =>
        client.call<Row>('POST', createPath(bucket!, flags), await objectOf(flags)),
      showRow,
    ),
  )
    .option('--policy <policy>', 'what a known unique key does: insert, update or upsert')
    .option('--process', 'also process it now')
  objectFlags(
    command(
      parent,
      'update <bucket> <object>',
      'Change fields or files of an object.',
      async (client, [bucket, object], flags) =>
        client.call<Row>('PATCH', v1('buckets', bucket!, 'objects', object!), await objectOf(flags)),
      showRow,
    ),
  )
  command(
    parent,
    'delete <bucket> <object>',
    'Delete an object.',
    (client, [bucket, object], { cascade }) =>
      client.call<Row | null>(
        'DELETE',
        `${v1('buckets', bucket!, 'objects', object!)}${cascade ? '?cascade=true' : ''}`,
      ),
    () => line(green('Deleted.')),
  ).option('--cascade', 'also delete the documents that were made from it')
}

function objectFlags(command: Command): Command {
  return command
    .option('--field <name=value>', 'a field; may be repeated', collect)
    .option('--file <property=path>', 'a file for a property; may be repeated', collect)
    .option('--data <json>', 'the whole object: JSON, @file, or - for standard input')
}

function createPath(bucket: string, { policy, process: now }: GroupFlags): string {
  const query = new URLSearchParams()
  if (policy) query.set('policy', String(policy))
  if (now) query.set('auto_process', 'true')
  return `${v1('buckets', bucket, 'objects')}${query.size > 0 ? `?${query}` : ''}`
}

async function objectOf({ data, field, file }: GroupFlags): Promise<unknown> {
  const whole = data ? ((await jsonFlag('--data', String(data))) as Row) : {}
  const blobs = await Promise.all(((file ?? []) as string[]).map(blobOf))
  const given = (whole.blobs ?? []) as unknown[]
  return {
    ...whole,
    ...pairs('--field', (field ?? []) as string[]),
    ...(blobs.length > 0 && { blobs: [...given, ...blobs] }),
  }
}

async function blobOf(pair: string): Promise<unknown> {
  const at = pair.indexOf('=')
  const path = pair.slice(at + 1)
  if (at < 1) throw new ApiError(0, `--file takes property=path, not "${pair}".`, null)
  const content = await readFile(path).catch((error: Error) => {
    throw new ApiError(0, `--file: ${error.message}`, null)
  })
  return {
    property: pair.slice(0, at),
    data: { base64: content.toString('base64'), filename: basename(path) },
  }
}
