import type { TaskStatus } from '../../core/task-status.ts'
import { parseInstant } from '../../core/time.ts'
import type { TaskResponse, TaskType } from './schemas.ts'
import type { TaskRow } from './store.ts'

/** A stored task as clients see it, with progress, rate and the time it will still take. */
export function presentTask(task: TaskRow, now_ms: number): TaskResponse {
  const additional_data: Record<string, unknown> = {
    ...JSON.parse(task.additional_data),
    created_at: task.created_at,
    updated_at: task.updated_at,
    ...(task.started_at && { started_at: task.started_at }),
    ...(task.ended_at && { completed_at: task.ended_at }),
    ...(task.total !== null && { progress: progress(task, task.total, now_ms) }),
    ...(task.error !== null && { error: task.error }),
  }
  return {
    task_id: task.task_id,
    task_type: task.task_type as TaskType,
    status: task.status as TaskStatus,
    inputs: JSON.parse(task.inputs),
    outputs: JSON.parse(task.outputs),
    additional_data,
    ...(task.error !== null && { error: task.error, error_message: task.error }),
  }
}

/** `rate_per_second` is units a second since the task started; `eta_seconds` only while it runs. */
function progress({ processed, started_at, ended_at }: TaskRow, total: number, now_ms: number) {
  const started_ms = started_at && parseInstant(started_at)
  if (!started_ms) return { processed, total }
  const until_ms = (ended_at && parseInstant(ended_at)) || now_ms
  const rate = processed / Math.max((until_ms - started_ms) / 1000, 0.001)
  return {
    processed,
    total,
    rate_per_second: Number(rate.toFixed(2)),
    ...(ended_at === null && rate > 0 && { eta_seconds: Math.max(0, Math.ceil((total - processed) / rate)) }),
  }
}
