import { type Selectable, sql } from 'kysely'
import { newId } from '../../core/ids.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { isTerminal, type TaskStatus, TERMINAL_STATUSES } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import type { TaskType } from './schemas.ts'

export type TaskRow = Selectable<Schema['tasks']>

export type NewTask = {
  task_type: TaskType
  /** Absent: a new one. */
  task_id?: string
  namespace_id: string | null
  status?: TaskStatus
  inputs?: unknown[]
  additional_data?: Record<string, unknown>
  /** How many units there are to process, when it is known already. */
  total?: number | null
}

/** Inserts a task, PENDING unless it says otherwise, and returns its id. */
export async function insertTask(
  trx: Trx,
  { organizationId }: OrganizationScope,
  { task_type, task_id = newId.task(), namespace_id, status = 'PENDING', ...rest }: NewTask,
): Promise<string> {
  const now = timestamp()
  await trx
    .insertInto('tasks')
    .values({
      task_id,
      organization_id: organizationId,
      namespace_id,
      task_type,
      status,
      error: null,
      total: rest.total ?? null,
      inputs: JSON.stringify(rest.inputs ?? []),
      outputs: '[]',
      additional_data: JSON.stringify(rest.additional_data ?? {}),
      created_at: now,
      updated_at: now,
      started_at: status === 'IN_PROGRESS' ? now : null,
      ended_at: isTerminal(status) ? now : null,
    })
    .execute()
  return task_id
}

export type TaskChange = {
  status?: TaskStatus
  error?: string | null
  outputs?: unknown[]
  /** Merged into what is there. */
  additional_data?: Record<string, unknown>
  processed?: number
  total?: number | null
}

/** Changes a task that has not ended; an ended task is final and stays as it is. Returns whether it changed. */
export async function updateTask(
  trx: Trx,
  { organizationId }: OrganizationScope,
  task_id: string,
  { status, error, outputs, additional_data, processed, total }: TaskChange,
): Promise<boolean> {
  const current = await trx
    .selectFrom('tasks')
    .select(['status', 'started_at', 'additional_data'])
    .where('organization_id', '=', organizationId)
    .where('task_id', '=', task_id)
    .executeTakeFirst()
  if (!current || isTerminal(current.status)) return false
  const now = timestamp()
  const { numUpdatedRows } = await trx
    .updateTable('tasks')
    .set({
      updated_at: now,
      ...(status && { status }),
      ...(status && status !== 'PENDING' && current.started_at === null && { started_at: now }),
      ...(status && isTerminal(status) && { ended_at: now }),
      ...(error !== undefined && { error }),
      ...(outputs && { outputs: JSON.stringify(outputs) }),
      ...(additional_data && {
        additional_data: JSON.stringify({ ...JSON.parse(current.additional_data), ...additional_data }),
      }),
      ...(processed !== undefined && { processed }),
      ...(total !== undefined && { total }),
    })
    .where('task_id', '=', task_id)
    // On PostgreSQL another transaction may have ended it since it was read.
    .where('status', 'not in', TERMINAL_STATUSES)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Moves the progress of tasks: `processed` and `total` are added to what they have; a plan that shrinks takes away. */
export async function advanceTasks(
  trx: Trx,
  { organizationId }: OrganizationScope,
  task_ids: readonly string[],
  { processed = 0, total = 0 }: { processed?: number; total?: number },
): Promise<void> {
  if (task_ids.length === 0 || (processed === 0 && total === 0)) return
  await trx
    .updateTable('tasks')
    .set((eb) => ({
      processed: eb('processed', '+', processed),
      ...(total !== 0 && { total: sql<number>`coalesce(total, 0) + ${total}` }),
    }))
    .where('organization_id', '=', organizationId)
    .where('task_id', 'in', task_ids)
    .execute()
}

/** The task, unless it ended before `kept_since`. */
export function findTask(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  task_id: string,
  kept_since: string,
): Promise<TaskRow | undefined> {
  return db
    .selectFrom('tasks')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('task_id', '=', task_id)
    .where((eb) => eb.or([eb('ended_at', 'is', null), eb('ended_at', '>=', kept_since)]))
    .executeTakeFirst()
}

/** Removes tasks that ended before `kept_since`; returns how many. */
export async function purgeTasks(db: DbOrTrx, kept_since: string): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('tasks')
    .where('ended_at', '<', kept_since)
    .executeTakeFirst()
  return Number(numDeletedRows)
}
