import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { insertTask } from '../tasks/index.ts'
import { auditDeletion } from './audit.ts'
import { bucketNotFound, DELETING, findBucket } from './record.ts'
import type { DeleteBucketResponse } from './schemas.ts'
import * as store from './store.ts'

export type DeleteBucketPayload = { bucket_id: string; task_id: string }

/** Marks the bucket and leaves the work to a job; a second call tells of the same task. */
export function deleteBucket(
  { db, queue }: { db: Db; queue: JobQueue },
  scope: Scope,
  identifier: string,
): Promise<DeleteBucketResponse> {
  return inTransaction(db, async (trx) => {
    const { bucket_id } = await findBucket(trx, scope, identifier)
    const row = await store.lockBucket(trx, scope, bucket_id)
    if (!row) throw bucketNotFound(identifier)
    const { bucket_name, object_count } = row
    if (row.status === DELETING && row.delete_task_id !== null) {
      const status = await taskStatus(trx, scope, row.delete_task_id)
      return { task_id: row.delete_task_id, status, bucket_id, bucket_name, object_count }
    }
    if (row.is_locked) throw new KuraError('bucket_locked')
    const task_id = await insertTask(trx, scope, {
      task_type: 'api_buckets_delete',
      namespace_id: scope.namespaceId,
      inputs: [bucket_id],
      additional_data: { bucket_id, bucket_name, namespace_id: scope.namespaceId },
      total: object_count,
    })
    await store.updateBucket(trx, scope, row, { status: DELETING, delete_task_id: task_id })
    await auditDeletion(trx, scope, row)
    const payload: DeleteBucketPayload = { bucket_id, task_id }
    await queue.enqueue(trx, [
      {
        organization_id: scope.organizationId,
        namespace_id: scope.namespaceId,
        kind: 'delete_bucket',
        payload,
      },
    ])
    return { task_id, status: 'PENDING', bucket_id, bucket_name, object_count }
  })
}

async function taskStatus(trx: Trx, { organizationId }: Scope, task_id: string): Promise<TaskStatus> {
  const task = await trx
    .selectFrom('tasks')
    .select('status')
    .where('organization_id', '=', organizationId)
    .where('task_id', '=', task_id)
    .executeTakeFirst()
  return (task?.status as TaskStatus | undefined) ?? 'PENDING'
}
