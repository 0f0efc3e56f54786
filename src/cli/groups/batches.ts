import type { Command } from 'commander'
import { ApiError, type Client } from '../client.ts'
import { positive } from '../flags.ts'
import { eachObject } from '../ingest/known.ts'
import { green, line, yellow } from '../output.ts'
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
import { watchTask } from './tasks.ts'

const COLUMNS: Column[] = [
  column('id', 'batch_id'),
  column('status', 'status'),
  column('objects', 'object_count'),
  { title: 'tier', value: (row) => `${Number(row.current_tier ?? 0) + 1}/${row.total_tiers ?? '?'}` },
  column('created', 'created_at'),
  column('error', 'error'),
]

const FAILED_COLUMNS: Column[] = [
  column('object', 'object_id'),
  column('document', 'document_id'),
  column('tier', 'tier_num'),
  column('retries', 'retry_count'),
  column('error', 'error'),
]

const at = (bucket: string, batch: string, ...more: string[]) =>
  v1('buckets', bucket, 'batches', batch, ...more)

/** `kura batch …` */
export function addBatchCommands(program: Command): void {
  const parent = group(program, 'batch', 'Process objects, and see what happened.')
  listCommand(
    parent,
    'list <bucket>',
    'List batches, newest first.',
    ([bucket]) => ({ path: v1('buckets', bucket!, 'batches', 'list') }),
    COLUMNS,
  )
  command(
    parent,
    'get <bucket> <batch>',
    'Show one batch.',
    (client, [bucket, batch]) => client.call<Row>('GET', at(bucket!, batch!)),
    showRow,
  )
  command(
    parent,
    'run <bucket> [objects...]',
    'Process these objects, or all that wait (DRAFT), and follow the work.',
    async (client, [bucket, ...objects], flags) => {
      const object_ids = objects.length > 0 ? objects : await waitingObjects(client, bucket!)
      if (object_ids.length === 0) throw new ApiError(0, `Nothing waits in "${bucket}".`, null)
      const { batch_id } = await client.call<{ batch_id: string }>(
        'POST',
        v1('buckets', bucket!, 'batches'),
        { object_ids },
      )
      const body = flags.priority === undefined ? {} : { priority: flags.priority }
      const { task_id } = await client.call<{ task_id: string }>(
        'POST',
        at(bucket!, batch_id, 'submit'),
        body,
      )
      const task = await watchTask(client, task_id, { quiet: flags.json ?? false })
      if (task.status !== 'COMPLETED') process.exitCode = 2
      return { batch_id, task_id, status: task.status, objects: object_ids.length }
    },
    ({ batch_id, status, objects }) =>
      line(
        status === 'COMPLETED'
          ? green(`${batch_id}: ${objects} objects processed.`)
          : yellow(`${batch_id} ended as ${status}.`),
      ),
  ).option('--priority <number>', 'higher runs first', positive)
  command(
    parent,
    'cancel <bucket> <batch>',
    'Stop a batch; what it has written stays.',
    (client, [bucket, batch]) => client.call<Row>('POST', at(bucket!, batch!, 'cancel')),
    showRow,
  )
  command(
    parent,
    'retry <bucket> <batch>',
    'Run the failed rows again and follow the work.',
    async (client, [bucket, batch], flags) => {
      const answer = await client.call<Row & { task_id?: string }>('POST', at(bucket!, batch!, 'retry'), {
        ...(flags.transientOnly === true && { transient_only: true }),
      })
      if (answer.task_id) await watchTask(client, answer.task_id, { quiet: flags.json ?? false })
      return answer
    },
    showRow,
  ).option('--transient-only', 'only failures that may pass by themselves')
  command(
    parent,
    'failed <bucket> <batch>',
    'List the rows that failed, with their reasons.',
    (client, [bucket, batch], { limit = 20 }) =>
      client.call<{ results: Row[]; total: number }>(
        'GET',
        `${at(bucket!, batch!, 'failed-documents')}?limit=${limit}`,
      ),
    (page) => showRows(page, FAILED_COLUMNS),
  ).option('--limit <count>', 'rows to show', positive, 20)
  command(
    parent,
    'logs <bucket> <batch>',
    'Show what happened, tier by tier.',
    (client, [bucket, batch]) =>
      client.call<{ tiers: { tier_num: number; status: string; logs?: unknown }[] }>(
        'GET',
        at(bucket!, batch!, 'logs'),
      ),
    ({ tiers }) => {
      for (const { tier_num, status, logs } of tiers) {
        line(`tier ${tier_num}: ${status}`)
        for (const entry of Array.isArray(logs) ? logs : [logs ?? ''])
          line(typeof entry === 'string' ? entry : JSON.stringify(entry))
      }
    },
  )
  command(
    parent,
    'health <bucket> <batch>',
    'Tell whether a batch is well, and what to do if not.',
    (client, [bucket, batch]) => client.call<Row>('GET', at(bucket!, batch!, 'health')),
    showRow,
  )
  command(
    parent,
    'delete <bucket> <batch>',
    'Delete a batch; objects and documents stay.',
    (client, [bucket, batch]) => client.call<Row>('DELETE', at(bucket!, batch!)),
    () => line(green('Deleted.')),
  )
}

/** Objects that no batch has processed since they were made or changed. */
async function waitingObjects(client: Client, bucket: string): Promise<string[]> {
  const object_ids: string[] = []
  for await (const { object_id } of eachObject(client, bucket, ['status'], { status: 'DRAFT' }))
    object_ids.push(object_id)
  return object_ids
}
