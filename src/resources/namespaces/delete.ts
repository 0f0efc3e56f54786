import { KuraError } from '../../core/errors.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { insertTask } from '../tasks/index.ts'
import { auditNamespace } from './audit.ts'
import type { DeleteNamespaceResponse } from './schemas.ts'
import * as store from './store.ts'

/** While a namespace has this status it is being deleted: readable, not writable. */
export const DELETING = 'IN_PROGRESS'

/** While a namespace has this status a clone fills it: readable, not writable. */
export const CLONING = 'PENDING'

/** What is left of a clone whose removal failed too: it can only be deleted. */
const BROKEN = 'FAILED'

export type DeleteNamespacePayload = {
  task_id: string
  /** What the namespace is again when the deletion is given up. */
  status_before: string
}

export const namespaceNotFound = (identifier: string) =>
  new KuraError('namespace_not_found', { resource: 'namespace', id: identifier })

/** Marks the namespace and leaves the work to a job; a second call tells of the same task. */
export function deleteNamespace(
  { db, queue }: { db: Db; queue: JobQueue },
  scope: OrganizationScope,
  identifier: string,
): Promise<DeleteNamespaceResponse> {
  return inTransaction(db, async (trx) => {
    const found = await store.findNamespace(trx, scope, identifier)
    const row = found && (await store.lockNamespace(trx, scope, found.namespace_id))
    if (!row) throw namespaceNotFound(identifier)
    const { namespace_id, namespace_name } = row
    if (row.status === DELETING && row.delete_task_id !== null) {
      const task = await trx
        .selectFrom('tasks')
        .select('status')
        .where('organization_id', '=', scope.organizationId)
        .where('task_id', '=', row.delete_task_id)
        .executeTakeFirst()
      const status = (task?.status as TaskStatus | undefined) ?? 'PENDING'
      return { task_id: row.delete_task_id, status, namespace_id, namespace_name }
    }
    const task_id = await startDeletion(trx, queue, scope, row)
    await auditNamespace(trx, scope, 'namespace_deleted', row, null)
    return { task_id, status: 'PENDING', namespace_id, namespace_name }
  })
}

/** Marks a locked namespace and enqueues its deletion; returns the task. */
export async function startDeletion(
  trx: Trx,
  queue: JobQueue,
  scope: OrganizationScope,
  { namespace_id, namespace_name, status }: store.NamespaceRow,
): Promise<string> {
  const task_id = await insertTask(trx, scope, {
    task_type: 'api_namespaces_delete',
    namespace_id,
    inputs: [namespace_id],
    additional_data: { namespace_id, namespace_name },
  })
  await store.updateNamespace(trx, scope, namespace_id, { status: DELETING, delete_task_id: task_id })
  const payload: DeleteNamespacePayload = { task_id, status_before: status === CLONING ? BROKEN : status }
  await queue.enqueue(trx, [
    { organization_id: scope.organizationId, namespace_id, kind: 'delete_namespace', payload },
  ])
  return task_id
}
