import { KuraError } from '../../core/errors.ts'
import { omitNulls } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import { inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Job, JobHandler } from '../../platform/queue/queue.ts'
import { insertTask, updateTask } from '../tasks/index.ts'
import { confirmUpload } from './confirm.ts'
import type { UploadContext } from './context.ts'
import type { UploadRow } from './record.ts'
import type { Confirmation } from './schemas.ts'
import * as store from './store.ts'

/** Runs of one job before what it could not confirm is given up; those uploads can be confirmed again. */
const ATTEMPTS_MAX = 5

export type ConfirmUploadsPayload = {
  task_id: string
  confirmations: Confirmation[]
  outputs: ConfirmOutput[]
}
type ConfirmOutput = { upload_id: string; status: string; object_id?: string; error?: string }

/** Marks uploads and leaves their confirmation to a job. Returns the task; wake the queue after the commit. */
export async function enqueueConfirmation(
  { queue }: Pick<UploadContext, 'queue'>,
  trx: Trx,
  scope: Scope,
  rows: readonly UploadRow[],
  { confirmations, is_batch }: { confirmations: Confirmation[]; is_batch: boolean },
): Promise<string> {
  const upload_ids = confirmations.map(({ upload_id }) => upload_id)
  const task_id = await insertTask(trx, scope, {
    task_type: is_batch ? 'api_buckets_uploads_batch_confirm' : 'api_buckets_uploads_confirm',
    namespace_id: scope.namespaceId,
    inputs: upload_ids,
    additional_data: { bucket_id: rows[0]!.bucket_id },
    total: upload_ids.length,
  })
  for (const { status, upload_id } of rows)
    if (status === 'PENDING')
      await store.updateUpload(trx, scope, upload_id, { status: 'PROCESSING', task_id })
  const payload: ConfirmUploadsPayload = { task_id, confirmations, outputs: [] }
  await queue.enqueue(trx, [
    {
      organization_id: scope.organizationId,
      namespace_id: scope.namespaceId,
      kind: 'confirm_uploads',
      payload,
    },
  ])
  return task_id
}

/** The job `confirm_uploads`: confirms one upload after the other and keeps what became of each. */
export function confirmUploadsJob(context: UploadContext): JobHandler {
  const { db, queue } = context
  return async (job, signal) => {
    const scope: Scope = { organizationId: job.organization_id, namespaceId: job.namespace_id }
    const { task_id, confirmations, outputs } = job.payload as ConfirmUploadsPayload
    await inTransaction(db, (trx) => updateTask(trx, scope, task_id, { status: 'IN_PROGRESS' }))
    for (const confirmation of confirmations.slice(outputs.length)) {
      const output = await confirmOne(context, scope, job, confirmation, signal)
      signal.throwIfAborted()
      outputs.push(output)
      await inTransaction(db, async (trx) => {
        await queue.checkpoint(trx, job, { task_id, confirmations, outputs })
        if (output.status !== 'COMPLETED') await release(trx, scope, task_id, output)
        await updateTask(trx, scope, task_id, { processed: outputs.length, outputs })
      })
    }
    await inTransaction(db, async (trx) => {
      await queue.complete(trx, job)
      await updateTask(trx, scope, task_id, { ...ending(outputs), outputs })
    })
  }
}

async function confirmOne(
  context: UploadContext,
  scope: Scope,
  job: Job,
  { upload_id, ...body }: Confirmation,
  signal: AbortSignal,
): Promise<ConfirmOutput> {
  try {
    const row = await confirmUpload(context, scope, upload_id, { body, signal })
    return omitNulls({ upload_id, status: row.status, object_id: row.object_id }) as ConfirmOutput
  } catch (error) {
    const isRefusal = error instanceof KuraError && error.row.status < 500
    // A fault of the server may be over when the job runs again.
    if (!isRefusal && (signal.aborted || job.attempt < ATTEMPTS_MAX)) throw error
    return { upload_id, status: 'FAILED', error: (error as Error).message }
  }
}

/** The upload can be mended and confirmed again; until it expires it has not FAILED. */
async function release(
  trx: Trx,
  { namespaceId }: Scope,
  task_id: string,
  { upload_id, error }: ConfirmOutput,
): Promise<void> {
  await trx
    .updateTable('uploads')
    .set({ status: 'PENDING', message: error ?? null })
    .where('namespace_id', '=', namespaceId)
    .where('upload_id', '=', upload_id)
    .where('status', '=', 'PROCESSING')
    .where('task_id', '=', task_id)
    .execute()
}

function ending(outputs: readonly ConfirmOutput[]): { status: TaskStatus; error?: string } {
  const failed = outputs.filter(({ error }) => error !== undefined)
  if (failed.length === 0) return { status: 'COMPLETED' }
  if (failed.length < outputs.length) return { status: 'COMPLETED_WITH_ERRORS' }
  return { status: 'FAILED', error: failed[0]!.error! }
}
