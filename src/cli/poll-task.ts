import { setTimeout as sleep } from 'node:timers/promises'
import { isTerminal } from '../core/task-status.ts'
import type { Client } from './client.ts'

const POLL_MS = 300

export type Task = Record<string, unknown> & {
  status: string
  error_message?: string
  additional_data?: { progress?: { processed?: number; total?: number } }
}

/** Asks for a task until it has ended; `onProgress` hears how far it is, `total` 0 while that is unknown. */
export async function pollTask(
  client: Client,
  task_id: string,
  onProgress: (processed: number, total: number) => void,
): Promise<Task> {
  for (;;) {
    const task = await client.call<Task>('GET', `/v1/tasks/${encodeURIComponent(task_id)}`)
    const { processed = 0, total = 0 } = task.additional_data?.progress ?? {}
    onProgress(processed, total)
    if (isTerminal(task.status)) return task
    await sleep(POLL_MS)
  }
}
