import type { Scope } from '../../core/scope.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { Job, JobQueue } from '../../platform/queue/queue.ts'
import { runDeletion } from '../tasks/index.ts'
import { DELETING, type DeleteNamespacePayload } from './delete.ts'
import { purgeSlice } from './purge.ts'
import * as store from './store.ts'

type Context = { db: Db; files: Files; queue: JobQueue }

/** The job `delete_namespace`: removes everything inside, slice by slice, then the namespace. */
export function deleteNamespaceJob(context: Context): (job: Job) => Promise<void> {
  return (job) => {
    const scope: Scope = { organizationId: job.organization_id, namespaceId: job.namespace_id }
    const { task_id, status_before = 'ACTIVE' } = job.payload as Partial<DeleteNamespacePayload> & {
      task_id: string
    }
    return runDeletion(context, job, {
      task_id,
      outputs: [job.namespace_id],
      async purge(trx) {
        const orphans = await purgeSlice({ trx, scope, files: context.files, task_id, job_id: job.job_id })
        if (orphans === null) await store.deleteNamespace(trx, scope, job.namespace_id)
        return orphans
      },
      async restore(trx) {
        const row = await store.lockNamespace(trx, scope, job.namespace_id)
        if (row?.status === DELETING)
          await store.updateNamespace(trx, scope, job.namespace_id, {
            status: status_before,
            delete_task_id: null,
          })
      },
    })
  }
}
