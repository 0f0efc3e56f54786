import { KuraError } from '../../core/errors.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { inTransaction } from '../../platform/db/db.ts'
import { findBucket, requireWritable } from '../buckets/index.ts'
import type { TaskService } from '../tasks/index.ts'
import { confirmUpload, isConfirmed, requireBytes } from './confirm.ts'
import type { UploadContext } from './context.ts'
import { type CreatedUpload, createUploads } from './create.ts'
import { enqueueConfirmation } from './jobs.ts'
import { listUploads } from './list.ts'
import { presentConfirmation, presentUpload } from './present.ts'
import { type ReceivedBody, receiveBytes } from './receive.ts'
import type { UploadRow } from './record.ts'
import { deleteUpload } from './remove.ts'
import type {
  ConfirmUploadBody,
  ConfirmUploadResponse,
  ConfirmUploadsBody,
  ConfirmUploadsResponse,
  CreateUploadBody,
  CreateUploadsBody,
  CreateUploadsResponse,
  ListUploadsBody,
  ListUploadsResponse,
  Policy,
  UploadResponse,
} from './schemas.ts'
import * as store from './store.ts'

/** Larger files are confirmed in the background (contract, uploads). */
export const ASYNC_BYTES_MIN = 100 * 1000 * 1000

/** How long the address of a confirmed file works. */
const READ_URL_SECONDS = 3600

type Loc = (string | number)[]
type CreateOptions = { policy: Policy | null; base_url: string }
type PresignOptions = { presign_base: string | null }

/** Uploads of buckets: what the operations of the API do. */
export class UploadService {
  readonly context: UploadContext
  readonly #tasks: Pick<TaskService, 'get'>

  constructor(context: UploadContext, tasks: Pick<TaskService, 'get'>) {
    this.context = context
    this.#tasks = tasks
  }

  async create(
    scope: Scope,
    bucket_identifier: string,
    body: CreateUploadBody,
    options: CreateOptions,
  ): Promise<UploadResponse> {
    const [upload] = await this.#create(scope, bucket_identifier, [{ body, loc: ['body'] }], options)
    return upload!
  }

  /** Shared metadata lie under those of each upload. All are created or none. */
  async createBatch(
    scope: Scope,
    bucket_identifier: string,
    { uploads, shared_metadata, shared_object_metadata }: CreateUploadsBody,
    options: CreateOptions,
  ): Promise<CreateUploadsResponse> {
    const bodies = uploads.map((upload, i) => ({
      body: {
        ...upload,
        metadata: { ...shared_metadata, ...upload.metadata },
        object_metadata:
          shared_object_metadata || upload.object_metadata
            ? { ...shared_object_metadata, ...upload.object_metadata }
            : null,
      },
      loc: ['body', 'uploads', i] as Loc,
    }))
    const created = await this.#create(scope, bucket_identifier, bodies, options)
    return { uploads: created, total: created.length }
  }

  async #create(
    scope: Scope,
    bucket_identifier: string,
    bodies: { body: CreateUploadBody; loc: Loc }[],
    { policy, base_url }: CreateOptions,
  ): Promise<UploadResponse[]> {
    const created = await createUploads(this.context, scope, bucket_identifier, bodies, {
      kind: 'presigned',
      policy,
    })
    return Promise.all(created.map((upload) => this.#presentCreated(scope, upload, base_url)))
  }

  async #presentCreated(
    scope: Scope,
    { row, is_duplicate }: CreatedUpload,
    base_url: string,
  ): Promise<UploadResponse> {
    const takesBytes = !is_duplicate && row.status === 'PENDING'
    const presigned_url = takesBytes ? await this.#putUrl(scope, row, base_url) : null
    return presentUpload(row, { presigned_url, is_repeat: is_duplicate })
  }

  async #putUrl(scope: Scope, row: UploadRow, base_url: string): Promise<string> {
    const { blobs, files } = this.context
    const { storage_key, content_type, upload_id, presigned_url_expiration: expires_in_seconds } = row
    if (storage_key !== null && blobs.presign)
      return blobs.presign.put(storage_key, { expires_in_seconds, mime_type: content_type })
    const expires = Math.floor(Date.parse(row.expires_at) / 1000)
    return files.signedUploadUrl({ scope, upload_id, content_type, expires }, base_url)
  }

  /** Throws `upload_not_found`. */
  async get(
    scope: Scope,
    bucket_identifier: string,
    upload_id: string,
    { presign_base }: PresignOptions,
  ): Promise<UploadResponse> {
    const { bucket_id } = await findBucket(this.context.db, scope, bucket_identifier)
    const row = await store.findUpload(this.context.db, scope, upload_id, { bucket_id })
    return presentUpload(row, { presigned_url: this.#readUrl(scope, row, presign_base) })
  }

  async list(
    scope: Scope,
    bucket_identifier: string,
    { body, page, presign_base }: { body: ListUploadsBody; page: PageRequest } & PresignOptions,
  ): Promise<ListUploadsResponse> {
    const { bucket_id } = await findBucket(this.context.db, scope, bucket_identifier)
    const path = `/v1/buckets/${encodeURIComponent(bucket_identifier)}/uploads/list`
    const { rows, pagination, stats } = await listUploads(this.context.db, scope, {
      bucket_id,
      body,
      page,
      path,
    })
    const results = rows.map((row) =>
      presentUpload(row, { presigned_url: this.#readUrl(scope, row, presign_base) }),
    )
    return { results, pagination, stats }
  }

  /** Only of a confirmed upload: the address that takes bytes is never shown again. */
  #readUrl(scope: Scope, { status, file_id }: UploadRow, base_url: string | null): string | null {
    if (base_url === null || status !== 'COMPLETED' || file_id === null) return null
    return this.context.files.signedUrl(scope, file_id, { base_url, expires_in_seconds: READ_URL_SECONDS })
  }

  /** A confirmed upload answers the same again. Large ones, and with `async` all, go on in the background. */
  async confirm(
    scope: Scope,
    bucket_identifier: string,
    upload_id: string,
    body: ConfirmUploadBody,
    { async: isAsync }: { async: boolean },
  ): Promise<ConfirmUploadResponse> {
    const bucket = await findBucket(this.context.db, scope, bucket_identifier)
    const row = await store.findUpload(this.context.db, scope, upload_id, { bucket_id: bucket.bucket_id })
    if (!isConfirmed(row)) requireWritable(bucket)
    return presentConfirmation(await this.confirmRow(scope, row, body, isAsync))
  }

  /** Confirms now, or leaves a large upload to a task. */
  async confirmRow(
    scope: Scope,
    row: UploadRow,
    body: ConfirmUploadBody,
    isAsync = false,
  ): Promise<UploadRow> {
    if (isConfirmed(row) || row.status === 'PROCESSING') return row
    const { upload_id } = row
    const size_bytes = await requireBytes(this.context, scope, row, body)
    if (!isAsync && size_bytes < ASYNC_BYTES_MIN)
      return confirmUpload(this.context, scope, upload_id, { body })
    const started = await inTransaction(this.context.db, async (trx) => {
      const now = await store.findUpload(trx, scope, upload_id, { lock: true })
      if (isConfirmed(now) || now.status === 'PROCESSING') return now
      const confirmations = [{ upload_id, ...body }]
      await enqueueConfirmation(this.context, trx, scope, [now], { confirmations, is_batch: false })
      return store.findUpload(trx, scope, upload_id)
    })
    this.context.queue.wake()
    return started
  }

  /** One task for all; each is judged alone. Throws `upload_not_found` before any is touched. */
  async confirmBatch(
    scope: Scope,
    bucket_identifier: string,
    { confirmations }: ConfirmUploadsBody,
  ): Promise<ConfirmUploadsResponse> {
    const task_id = await inTransaction(this.context.db, async (trx) => {
      const bucket = await findBucket(trx, scope, bucket_identifier)
      const rows: UploadRow[] = []
      // In one order, so that two batches do not wait for each other.
      for (const upload_id of [...new Set(confirmations.map((one) => one.upload_id))].sort())
        rows.push(await store.findUpload(trx, scope, upload_id, { bucket_id: bucket.bucket_id, lock: true }))
      requireWritable(bucket)
      return enqueueConfirmation(this.context, trx, scope, rows, { confirmations, is_batch: true })
    })
    this.context.queue.wake()
    const task = await this.#tasks.get(scope, task_id)
    return {
      task_id,
      status: task.status,
      confirmations_count: confirmations.length,
      task,
      message: 'Batch confirmation is being processed in the background.',
    }
  }

  async delete(scope: Scope, bucket_identifier: string, upload_id: string): Promise<void> {
    const bucket = await findBucket(this.context.db, scope, bucket_identifier)
    await store.findUpload(this.context.db, scope, upload_id, { bucket_id: bucket.bucket_id })
    requireWritable(bucket)
    await deleteUpload(this.context, scope, bucket.bucket_id, upload_id)
  }

  /** Takes the body of a PUT to a presigned URL of this server. */
  async receive(
    scope: Scope,
    { upload_id, content_type, expires }: { upload_id: string; content_type: string; expires: number },
    signature: string,
    body: ReceivedBody,
  ): Promise<{ etag: string }> {
    if (!this.context.files.verify({ scope, upload_id, content_type, expires }, signature))
      throw new KuraError('signature_invalid')
    return receiveBytes(this.context, scope, upload_id, body)
  }
}
