import type { OrganizationScope } from '../../core/scope.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import { type Job, type JobQueue, LeaseLostError } from '../../platform/queue/queue.ts'
import { updateTask } from './store.ts'

/** Runs of one slice before a deletion is given up. */
const ATTEMPTS_MAX = 5

export type Deletion = {
  task_id: string
  /** Removes one slice and returns the files whose bytes can go then; null: nothing is left. */
  purge(trx: Trx): Promise<OrphanedFile[] | null>
  /** What the task names as done once nothing is left. */
  outputs: unknown[]
  /** Lets the resource be used, and deleted anew, after the deletion was given up. */
  restore(trx: Trx): Promise<void>
}

/**
 * Runs one slice of a deletion. The rest is left to the next job in the same transaction, so a run
 * that is repeated starts from what is there.
 */
export async function runDeletion(
  { db, files, queue }: { db: Db; files: Pick<Files, 'deleteBytes'>; queue: JobQueue },
  job: Job,
  { task_id, purge, outputs, restore }: Deletion,
): Promise<void> {
  const scope: OrganizationScope = { organizationId: job.organization_id }
  try {
    const orphans = await inTransaction(db, async (trx) => {
      await queue.complete(trx, job)
      await updateTask(trx, scope, task_id, { status: 'IN_PROGRESS' })
      const removed = await purge(trx)
      if (removed !== null) await queue.enqueue(trx, [{ ...job, payload: job.payload }])
      else await updateTask(trx, scope, task_id, { status: 'COMPLETED', outputs })
      return removed ?? []
    })
    await files.deleteBytes(orphans)
  } catch (error) {
    if (error instanceof LeaseLostError || job.attempt < ATTEMPTS_MAX) throw error
    await inTransaction(db, async (trx) => {
      await queue.complete(trx, job)
      await updateTask(trx, scope, task_id, { status: 'FAILED', error: (error as Error).message })
      await restore(trx)
    })
  }
  queue.wake()
}
