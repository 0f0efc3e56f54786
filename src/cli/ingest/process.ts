import type { Client } from '../client.ts'
import { pollTask } from '../poll-task.ts'

/** Objects of one batch: small enough that processing starts while later files are still travelling. */
export const BATCH_OBJECTS_MAX = 1000

type FailedRow = { object_id?: string; error?: string; message?: string; error_type?: string }

export type SubmittedBatch = { batch_id: string; task_id: string; objects: number }
export type RowFailure = { object_id: string; reason: string }

const bucketPath = (bucket: string) => `/v1/buckets/${encodeURIComponent(bucket)}`

export async function submit(client: Client, bucket: string, object_ids: string[]): Promise<SubmittedBatch> {
  const { batch_id } = await client.call<{ batch_id: string }>('POST', `${bucketPath(bucket)}/batches`, {
    object_ids,
  })
  const { task_id } = await client.call<{ task_id: string }>(
    'POST',
    `${bucketPath(bucket)}/batches/${batch_id}/submit`,
  )
  return { batch_id, task_id, objects: object_ids.length }
}

/** Waits for one batch; `onProgress` hears how many rows are done. Returns the rows that failed. */
export async function waitFor(
  client: Client,
  bucket: string,
  { batch_id, task_id, objects }: SubmittedBatch,
  onProgress: (done: number) => void,
): Promise<{ status: string; failures: RowFailure[] }> {
  const { status } = await pollTask(client, task_id, (processed, total) =>
    // Rows of a batch can outnumber its objects (one object may feed several collections).
    onProgress(total > 0 ? Math.min(objects, Math.floor((processed / total) * objects)) : 0),
  )
  onProgress(objects)
  return { status, failures: status === 'COMPLETED' ? [] : await failedRows(client, bucket, batch_id) }
}

async function failedRows(client: Client, bucket: string, batch_id: string): Promise<RowFailure[]> {
  const { results } = await client.call<{ results: FailedRow[] }>(
    'GET',
    `${bucketPath(bucket)}/batches/${batch_id}/failed-documents?limit=1000`,
  )
  return results.map((row) => ({
    object_id: row.object_id ?? '?',
    reason: row.message ?? row.error ?? row.error_type ?? 'failed',
  }))
}
