import type { Command } from 'commander'
import { ApiError, type Client } from '../client.ts'
import { green, line } from '../output.ts'
import { pollTask, type Task } from '../poll-task.ts'
import { Progress } from '../progress.ts'
import { type Column, column, command, group, listCommand, type Row, showRow, v1 } from './resource.ts'

const COLUMNS: Column[] = [
  column('id', 'task_id'),
  column('type', 'task_type'),
  column('status', 'status'),
  {
    title: 'progress',
    value: (row) => {
      const { processed, total } = (row as Task).additional_data?.progress ?? {}
      return processed === undefined ? '' : `${processed}/${total ?? '?'}`
    },
  },
  column('created', 'created_at'),
]

/** `kura task …` */
export function addTaskCommands(program: Command): void {
  const parent = group(program, 'task', 'Look at, follow and stop background work.')
  listCommand(
    parent,
    'list',
    'List tasks, newest first.',
    (_args, { status }) => ({
      path: '/v1/tasks/list',
      ...(status !== undefined && { body: { status: String(status).toUpperCase() } }),
    }),
    COLUMNS,
  ).option('--status <status>', 'only tasks of this status')
  command(
    parent,
    'get <task>',
    'Show one task.',
    (client, [task]) => client.call<Row>('GET', v1('tasks', task!)),
    showRow,
  )
  command(
    parent,
    'watch <task>',
    'Follow a task to its end; exit code 2 when it did not complete.',
    async (client, [task], flags) => {
      const ended = await watchTask(client, task!, { quiet: flags.json ?? false })
      if (ended.status !== 'COMPLETED') process.exitCode = 2
      return ended
    },
    showRow,
  )
  command(
    parent,
    'kill <task>',
    'Stop a task.',
    (client, [task]) => client.call<Row>('DELETE', v1('tasks', task!)),
    () => line(green('Stopped, unless it had ended before.')),
  )
}

/** Polls a task with a progress bar until it has ended. */
export async function watchTask(
  client: Client,
  task_id: string,
  { quiet }: { quiet: boolean },
): Promise<Task> {
  const progress = new Progress({ quiet })
  const bar = progress.bar('progress')
  try {
    return await pollTask(client, task_id, (processed, total) => {
      bar.total(total)
      bar.done(processed)
    })
  } finally {
    bar.stop()
    progress.stop()
  }
}

/** As `watchTask`; throws ApiError when the task did not complete. */
export async function followTask(
  client: Client,
  task_id: string,
  options: { quiet: boolean },
): Promise<Task> {
  const task = await watchTask(client, task_id, options)
  if (!task.status.startsWith('COMPLETED'))
    throw new ApiError(
      0,
      `Task ${task_id} ended as ${task.status}: ${task.error_message ?? 'no reason given'}`,
      task,
    )
  return task
}
