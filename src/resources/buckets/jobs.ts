import type { Scope } from '../../core/scope.ts'
import type { Db, Trx } from '../../platform/db/db.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import type { Job, JobQueue } from '../../platform/queue/queue.ts'
import { runDeletion } from '../tasks/index.ts'
import type { DeleteBucketPayload } from './delete.ts'
import { type BucketPurge, purgeBatchSlice, purgeObjectSlice, purgeRows, purgeSyncSlice } from './purge.ts'
import { DELETING } from './record.ts'
import * as store from './store.ts'

type Context = {
  db: Db
  files: Files
  queue: JobQueue
  /** What other resources keep for a bucket. */
  purges?: readonly BucketPurge[]
}

/**
 * The job `delete_bucket`: removes what fills the bucket (syncs, adapters), cancels batches, then removes
 * uploads and objects with bytes that nobody else refers to, then the record; collections and
 * documents stay.
 */
export function deleteBucketJob(context: Context): (job: Job) => Promise<void> {
  return (job) => {
    const scope: Scope = { organizationId: job.organization_id, namespaceId: job.namespace_id }
    const payload = job.payload as DeleteBucketPayload
    const { bucket_id, task_id } = payload
    return runDeletion(context, job, {
      task_id,
      outputs: [bucket_id],
      purge: (trx) => purgeSlice(trx, context, scope, payload),
      async restore(trx) {
        const row = await store.lockBucket(trx, scope, bucket_id)
        if (row?.status === DELETING)
          await store.updateBucket(trx, scope, row, { status: 'ACTIVE', delete_task_id: null })
      },
    })
  }
}

async function purgeSlice(
  trx: Trx,
  { files, purges = [] }: Context,
  scope: Scope,
  payload: DeleteBucketPayload,
): Promise<OrphanedFile[] | null> {
  const { bucket_id } = payload
  if (await purgeSyncSlice(trx, scope, bucket_id)) return []
  if (await purgeRows(trx, scope, bucket_id)) return []
  if (await purgeBatchSlice(trx, scope, bucket_id)) return []
  for (const purge of purges) {
    const removed = await purge(trx, files, scope, bucket_id)
    if (removed !== null) return removed
  }
  const row = await store.lockBucket(trx, scope, bucket_id)
  if (!row) return null
  const orphans = await purgeObjectSlice(trx, files, scope, payload)
  if (orphans === null) await store.deleteBucket(trx, scope, row)
  return orphans
}
