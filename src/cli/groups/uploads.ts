import { basename } from 'node:path'
import type { Command } from 'commander'
import { ApiError } from '../client.ts'
import { collect, pairs } from '../flags.ts'
import { bytes, green, line, table } from '../output.ts'
import { Progress } from '../progress.ts'
import { uploadFile } from '../upload-file.ts'
import { type Column, column, command, group, listCommand, type Row, showRow, v1 } from './resource.ts'

const COLUMNS: Column[] = [
  column('id', 'upload_id'),
  column('file', 'filename'),
  {
    title: 'size',
    value: (row) => (row.file_size_bytes === undefined ? '' : bytes(Number(row.file_size_bytes))),
  },
  column('status', 'status'),
  column('object', 'object_id'),
  column('created', 'created_at'),
]

type Sent = { path: string; object_id?: string; upload_id?: string; error?: string }

/** `kura upload …` */
export function addUploadCommands(program: Command): void {
  const parent = group(program, 'upload', 'Send files of any size, resumably, and see what became of them.')
  const at = (bucket: string, ...more: string[]) => v1('buckets', bucket, 'uploads', ...more)
  command(
    parent,
    'put <bucket> <files...>',
    'Send files; each becomes an object. Run again after an interruption to go on.',
    async (client, [bucket, ...paths], { property, field, type, policy, json = false }) => {
      const fields = pairs('--field', (field ?? []) as string[])
      const sent: Sent[] = []
      const progress = new Progress({ quiet: json })
      for (const path of paths) {
        const bar = progress.bar(basename(path).slice(0, 24))
        try {
          const { upload_id, object_id } = await uploadFile(client, {
            bucket: bucket!,
            path,
            fields,
            property: property as string | undefined,
            content_type: type as string | undefined,
            policy: policy as string | undefined,
            onProgress: (done, total) => {
              bar.total(total)
              bar.done(done)
            },
          })
          sent.push({ path, upload_id, ...(object_id !== undefined && { object_id }) })
        } catch (error) {
          if (!(error instanceof ApiError)) throw error
          sent.push({ path, error: error.message })
          process.exitCode = 2
        } finally {
          bar.stop()
        }
      }
      progress.stop()
      return sent
    },
    (sent) =>
      table(
        ['file', 'object', 'problem'],
        sent.map(({ path, object_id, error }) => [path, object_id ?? '', error ?? '']),
      ),
  )
    .option('--property <name>', 'file property of the object; the fitting one when absent')
    .option('--field <name=value>', 'a field of the objects; may be repeated', collect)
    .option('--type <mime>', 'content type; found out from the bytes when absent')
    .option('--policy <policy>', 'what a known unique key does: insert, update or upsert')
  listCommand(
    parent,
    'list <bucket>',
    'List uploads, newest first.',
    ([bucket]) => ({ path: at(bucket!, 'list') }),
    COLUMNS,
  )
  command(
    parent,
    'get <bucket> <upload>',
    'Show one upload.',
    (client, [bucket, id]) => client.call<Row>('GET', at(bucket!, id!)),
    showRow,
  )
  command(
    parent,
    'delete <bucket> <upload>',
    'Drop an upload that has not become an object.',
    (client, [bucket, id]) => client.call<null>('DELETE', at(bucket!, id!)),
    () => line(green('Deleted.')),
  )
}
