import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { call, type Json, type Server, send } from './server.ts'

export const BATCH_OBJECTS = 100
/** Files are larger than what the database keeps itself, so that each has bytes in the blob store. */
const FILE_BYTES_MIN = 70_000
const FILE_BYTES_MAX = 200_000

export type Batch = { batch_id: string; task_id: string; bucket_id: string }
export type Upload = { object_id: string; sha256: string; file_hash: string }

/** All that was answered with success, which is what may never be lost. */
export class Acknowledged {
  /** Object ids by unique key. */
  readonly objects = new Map<string, string>()
  readonly uploads: Upload[] = []
  readonly batches: Batch[] = []
}

const text = (value: Json, name: string) => value[name] as unknown as string

export async function submitBatch(
  server: Server,
  acknowledged: Acknowledged,
  bucket_id: string,
  object_ids: readonly string[],
): Promise<void> {
  const path = `/buckets/${bucket_id}/batches`
  const batch_id = text(await call(server, 'POST', path, { object_ids }), 'batch_id')
  const task_id = text(await call(server, 'POST', `${path}/${batch_id}/submit`), 'task_id')
  acknowledged.batches.push({ batch_id, task_id, bucket_id })
}

/** Objects with a unique key, one request each, in batches; then the same again until `isDone`. */
export async function ingestObjects(
  server: Server,
  acknowledged: Acknowledged,
  { bucket_id, count, isDone }: { bucket_id: string; count: number; isDone: () => boolean },
): Promise<void> {
  let waiting: string[] = []
  for (let i = 0; i < count; i++) {
    const body = { sku: `sku-${i}`, body: `Note number ${i}.` }
    const object_id = text(await call(server, 'POST', `/buckets/${bucket_id}/objects`, body), 'object_id')
    acknowledged.objects.set(body.sku, object_id)
    waiting.push(object_id)
    if (waiting.length < BATCH_OBJECTS && i < count - 1) continue
    await submitBatch(server, acknowledged, bucket_id, waiting)
    waiting = []
  }
  const ids = [...acknowledged.objects.values()]
  while (!isDone()) {
    const some = Array.from({ length: BATCH_OBJECTS }, () => ids[Math.floor(Math.random() * ids.length)]!)
    await submitBatch(server, acknowledged, bucket_id, some)
    await sleep(200)
  }
}

/** Files by presigned PUT and confirmation, a batch every few of them, until `isDone`. */
export async function uploadFiles(
  server: Server,
  acknowledged: Acknowledged,
  { bucket_id, isDone }: { bucket_id: string; isDone: () => boolean },
): Promise<void> {
  let waiting: string[] = []
  for (let i = 0; !isDone() || i < 10; i++) {
    const upload = await uploadFile(server, bucket_id, i)
    acknowledged.uploads.push(upload)
    waiting.push(upload.object_id)
    if (waiting.length === 5) {
      await submitBatch(server, acknowledged, bucket_id, waiting)
      waiting = []
    }
  }
  if (waiting.length > 0) await submitBatch(server, acknowledged, bucket_id, waiting)
}

async function uploadFile(server: Server, bucket_id: string, i: number): Promise<Upload> {
  const size = FILE_BYTES_MIN + Math.floor(Math.random() * (FILE_BYTES_MAX - FILE_BYTES_MIN))
  const words = randomBytes(Math.ceil(size / 2))
    .toString('hex')
    .slice(0, size)
  const bytes = Buffer.from(`File ${i}. ${words}`)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const path = `/buckets/${bucket_id}/uploads`
  const upload = await call(server, 'POST', path, {
    filename: `file-${i}.txt`,
    content_type: 'text/plain',
    file_size_bytes: bytes.length,
    blob_property: 'content',
    object_metadata: { number: i },
  })
  const url = text(upload, 'presigned_url')
  await send(`PUT of upload ${text(upload, 'upload_id')}`, () =>
    fetch(url, { method: 'PUT', headers: { 'content-type': 'text/plain' }, body: bytes }),
  )
  const confirmed = await call(server, 'POST', `${path}/${text(upload, 'upload_id')}/confirm`, {
    file_hash: sha256,
  })
  return { object_id: text(confirmed, 'object_id'), sha256, file_hash: text(confirmed, 'file_hash') }
}
