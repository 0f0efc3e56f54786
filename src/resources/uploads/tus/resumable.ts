import { KuraError } from '../../../core/errors.ts'
import type { Scope } from '../../../core/scope.ts'
import { findBucket, requireWritable } from '../../buckets/index.ts'
import { createUploads } from '../create.ts'
import { requireReceiving, type UploadRow } from '../record.ts'
import type { UploadService } from '../service.ts'
import * as store from '../store.ts'
import { readTusMetadata, type TusMetadata } from './metadata.ts'

/** A resumable upload as the protocol sees it. */
export type ResumableState = { row: UploadRow; offset: number; size: number; metadata: TusMetadata }

/** What the tus protocol does with uploads; who calls holds the lock of the upload. */
export class ResumableUploads {
  readonly #uploads: UploadService
  readonly #scope: Scope
  readonly #bucket: string | undefined

  /** `bucket_identifier`: the bucket of the path, where it names one. */
  constructor(uploads: UploadService, scope: Scope, bucket_identifier: string | undefined) {
    this.#uploads = uploads
    this.#scope = scope
    this.#bucket = bucket_identifier
  }

  /** Checks everything that the create operation checks, and inserts the upload. Returns its id. */
  async create(metadata: TusMetadata, size_bytes: number): Promise<string> {
    const { limits } = this.#uploads.context
    if (size_bytes > limits.upload_limit_bytes)
      throw new KuraError('upload_too_large', { limit_bytes: limits.upload_limit_bytes })
    if (size_bytes === 0) throw new KuraError('upload_bytes_missing')
    const { bucket, body, policy } = readTusMetadata(
      this.#bucket === undefined ? metadata : { ...metadata, bucket: this.#bucket },
      size_bytes,
    )
    const [created] = await createUploads(
      this.#uploads.context,
      this.#scope,
      bucket,
      [{ body, loc: ['header', 'upload-metadata'] }],
      { kind: 'tus', policy, tus_metadata: metadata },
    )
    return created!.row.upload_id
  }

  /** Makes the place where the bytes will arrive. */
  async begin(upload_id: string): Promise<void> {
    const { blobs, db } = this.#uploads.context
    const row = await this.#find(upload_id)
    const { storage_class } = await findBucket(db, this.#scope, row.bucket_id)
    // An object store does not give back what goes into the archive, and the bytes are yet to be hashed.
    const first_class = storage_class === 'archive' ? null : storage_class
    await blobs.resumable.begin(row.storage_key!, { storage_class: first_class, mime_type: row.content_type })
  }

  /** Throws `upload_not_found` also for uploads that are not resumable. */
  async state(upload_id: string): Promise<ResumableState> {
    const row = await this.#find(upload_id)
    return {
      row,
      offset: await this.#offset(row),
      size: row.file_size_bytes!,
      metadata: JSON.parse(row.tus_metadata!),
    }
  }

  async #offset(row: UploadRow): Promise<number> {
    const { blobs } = this.#uploads.context
    if (row.storage_key === null) return row.file_size_bytes!
    const offset = await blobs.resumable.offset(row.storage_key)
    return offset ?? (await blobs.size(row.storage_key)) ?? 0
  }

  /** Appends what arrives and returns the new offset; what has arrived before a break is kept. */
  async append(upload_id: string, offset: number, source: AsyncIterable<Uint8Array>): Promise<number> {
    const { blobs, db } = this.#uploads.context
    const row = await this.#find(upload_id)
    requireReceiving(row)
    requireWritable(await findBucket(db, this.#scope, row.bucket_id))
    const key = row.storage_key!
    // A crash between the row and its place is made up for here.
    if ((await blobs.resumable.offset(key)) === null) await this.begin(upload_id)
    return blobs.resumable.append(key, offset, source, { limit_bytes: row.file_size_bytes! })
  }

  /** Confirms an upload whose bytes are all there; large ones in the background. */
  async finish(upload_id: string): Promise<UploadRow> {
    return this.#uploads.confirmRow(this.#scope, await this.#find(upload_id), {})
  }

  async remove(upload_id: string): Promise<void> {
    const { bucket_id } = await this.#find(upload_id)
    await this.#uploads.delete(this.#scope, bucket_id, upload_id)
  }

  async #find(upload_id: string): Promise<UploadRow> {
    const { db } = this.#uploads.context
    const bucket = this.#bucket === undefined ? {} : await findBucket(db, this.#scope, this.#bucket)
    const row = await store.findUpload(db, this.#scope, upload_id, bucket)
    if (row.kind !== 'tus') throw new KuraError('upload_not_found', { resource: 'upload', id: upload_id })
    return row
  }
}
