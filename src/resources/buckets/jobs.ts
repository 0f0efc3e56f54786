import type { Scope } from '../../core/scope.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import { type Job, type JobQueue, LeaseLostError } from '../../platform/queue/queue.ts'
import { updateTask } from '../tasks/index.ts'
import type { DeleteBucketPayload } from './delete.ts'
import { purgeBatchSlice, purgeObjectSlice } from './purge.ts'
import { DELETING } from './record.ts'
import * as store from './store.ts'

/** Runs of one slice before the deletion is given up; the bucket then works again and can be deleted anew. */
const ATTEMPTS_MAX = 5

type Context = { db: Db; files: Files; queue: JobQueue }

/**
 * The job `delete_bucket`: cancels batches, then removes objects with bytes that nobody else
 * refers to, then the record; collections and documents stay. Each run removes one slice and leaves
 * the rest to the next job in the same transaction, so a run that is repeated starts from what is there.
 */
export function deleteBucketJob({ db, files, queue }: Context): (job: Job) => Promise<void> {
  return async (job) => {
    const scope: Scope = { organizationId: job.organization_id, namespaceId: job.namespace_id }
    const payload = job.payload as DeleteBucketPayload
    try {
      const orphans = await inTransaction(db, async (trx) => {
        await queue.complete(trx, job)
        const removed = await purgeSlice(trx, files, scope, payload)
        if (removed !== null) await queue.enqueue(trx, [{ ...job, payload }])
        return removed ?? []
      })
      await files.deleteBytes(orphans)
    } catch (error) {
      if (error instanceof LeaseLostError || job.attempt < ATTEMPTS_MAX) throw error
      await giveUp({ db, queue }, scope, job, error as Error)
    }
    queue.wake()
  }
}

/** Null when the bucket is gone. */
async function purgeSlice(
  trx: Trx,
  files: Files,
  scope: Scope,
  payload: DeleteBucketPayload,
): Promise<OrphanedFile[] | null> {
  const { bucket_id, task_id } = payload
  await updateTask(trx, scope, task_id, { status: 'IN_PROGRESS' })
  if (await purgeBatchSlice(trx, scope, bucket_id)) return []
  const row = await store.lockBucket(trx, scope, bucket_id)
  const orphans = row ? await purgeObjectSlice(trx, files, scope, payload) : null
  if (orphans !== null) return orphans
  if (row) await store.deleteBucket(trx, scope, row)
  await updateTask(trx, scope, task_id, { status: 'COMPLETED', outputs: [bucket_id] })
  return null
}

async function giveUp(
  { db, queue }: Pick<Context, 'db' | 'queue'>,
  scope: Scope,
  job: Job,
  { message }: Error,
): Promise<void> {
  const { bucket_id, task_id } = job.payload as DeleteBucketPayload
  await inTransaction(db, async (trx) => {
    await queue.complete(trx, job)
    await updateTask(trx, scope, task_id, { status: 'FAILED', error: message })
    const row = await store.lockBucket(trx, scope, bucket_id)
    if (row?.status === DELETING)
      await store.updateBucket(trx, scope, row, { status: 'ACTIVE', delete_task_id: null })
  })
}
