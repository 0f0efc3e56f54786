import { KuraError } from '../../core/errors.ts'
import { onlyVisible } from '../../core/key-scopes.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { isTerminal } from '../../core/task-status.ts'
import { type Clock, systemClock, toTimestamp } from '../../core/time.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import { listTasks } from './list.ts'
import { presentTask } from './present.ts'
import type { ListTasksBody, ListTasksResponse, TaskResponse } from './schemas.ts'
import * as store from './store.ts'

/** Ended tasks answer this long; then they are unknown. */
export const TASK_KEPT_MS = 90 * 24 * 3600 * 1000

/** Stops what a task stands for, in the transaction that marks the task; kinds without one run to their end. */
export type CancelTask = (trx: Trx, scope: OrganizationScope, task: store.TaskRow) => Promise<void>

export class TaskService {
  readonly #db: Db
  readonly #clock: Clock
  readonly #cancel: Partial<Record<string, CancelTask>>

  /** `cancel` says by task type how a running task is stopped. */
  constructor({
    db,
    cancel,
    clock = systemClock,
  }: {
    db: Db
    cancel: Partial<Record<string, CancelTask>>
    clock?: Clock
  }) {
    this.#db = db
    this.#cancel = cancel
    this.#clock = clock
  }

  /** Throws `task_not_found`. */
  async get(scope: OrganizationScope, task_id: string): Promise<TaskResponse> {
    const task = await store.findTask(this.#db, scope, task_id, this.#keptSince())
    if (!task) throw new KuraError('task_not_found', { resource: 'task', id: task_id })
    return presentTask(task, this.#clock.now())
  }

  /** Tasks of the organization, or of one namespace when it is given; newest first by default. */
  async list(
    scope: OrganizationScope,
    namespace_id: string | null,
    body: ListTasksBody,
    page: PageRequest,
  ): Promise<ListTasksResponse> {
    const { rows, pagination } = await listTasks(this.#db, scope, {
      namespace_id,
      kept_since: this.#keptSince(),
      body: onlyVisible(body, scope),
      page,
    })
    return { results: rows.map((row) => presentTask(row, this.#clock.now())), pagination }
  }

  /** Cancels a running task with what it stands for. Unknown and ended tasks, and kinds that cannot stop, are left alone. */
  async kill(scope: OrganizationScope, task_id: string): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      const task = await store.findTask(trx, scope, task_id, this.#keptSince())
      const cancel = task && this.#cancel[task.task_type]
      if (!cancel || isTerminal(task.status)) return
      await cancel(trx, scope, task)
      await store.updateTask(trx, scope, task_id, { status: 'CANCELED' })
    })
  }

  /** Removes tasks that ended longer ago than they are kept. */
  purge(): Promise<number> {
    return store.purgeTasks(this.#db, this.#keptSince())
  }

  #keptSince(): string {
    return toTimestamp(this.#clock.now() - TASK_KEPT_MS)
  }
}
