import type { Scope } from '../../core/scope.ts'
import { type Db, inTransaction } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import { type Job, type JobQueue, LeaseLostError } from '../../platform/queue/queue.ts'
import { updateTask } from '../tasks/index.ts'
import { DELETING, type DeleteNamespacePayload } from './delete.ts'
import { purgeSlice } from './purge.ts'
import * as store from './store.ts'

/** Runs of one slice before the deletion is given up; the namespace then works again and can be deleted anew. */
const ATTEMPTS_MAX = 5

type Context = { db: Db; files: Files; queue: JobQueue }

/**
 * The job `delete_namespace`: removes everything inside, slice by slice, then the namespace. Each
 * run leaves the rest to the next job in the same transaction, so a run that is repeated starts from
 * what is there.
 */
export function deleteNamespaceJob({ db, files, queue }: Context): (job: Job) => Promise<void> {
  return async (job) => {
    const scope: Scope = { organizationId: job.organization_id, namespaceId: job.namespace_id }
    const { task_id } = job.payload as DeleteNamespacePayload
    try {
      const orphans = await inTransaction(db, async (trx) => {
        await queue.complete(trx, job)
        await updateTask(trx, scope, task_id, { status: 'IN_PROGRESS' })
        const removed = await purgeSlice({ trx, scope, files, task_id, job_id: job.job_id })
        if (removed !== null) {
          await queue.enqueue(trx, [{ ...job, payload: job.payload }])
          return removed
        }
        await store.deleteNamespace(trx, scope, job.namespace_id)
        await updateTask(trx, scope, task_id, { status: 'COMPLETED', outputs: [job.namespace_id] })
        return []
      })
      await files.deleteBytes(orphans)
    } catch (error) {
      if (error instanceof LeaseLostError || job.attempt < ATTEMPTS_MAX) throw error
      await giveUp({ db, queue }, scope, job, error as Error)
    }
    queue.wake()
  }
}

async function giveUp(
  { db, queue }: Pick<Context, 'db' | 'queue'>,
  scope: Scope,
  job: Job,
  { message }: Error,
): Promise<void> {
  const { task_id } = job.payload as DeleteNamespacePayload
  await inTransaction(db, async (trx) => {
    await queue.complete(trx, job)
    await updateTask(trx, scope, task_id, { status: 'FAILED', error: message })
    const row = await store.lockNamespace(trx, scope, job.namespace_id)
    if (row?.status === DELETING)
      await store.updateNamespace(trx, scope, job.namespace_id, { status: 'ACTIVE', delete_task_id: null })
  })
}
