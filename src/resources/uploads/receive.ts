import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { inTransaction } from '../../platform/db/db.ts'
import type { OrphanedFile, StagedFile } from '../../platform/files/files.ts'
import { normalizeMime, sniffMime } from '../../platform/media/mime.ts'
import { findBucket, requireWritable } from '../buckets/index.ts'
import type { UploadContext } from './context.ts'
import { Md5Tap } from './digest.ts'
import { requireReceiving, type UploadRow } from './record.ts'
import * as store from './store.ts'

/** The body of a PUT to a presigned URL of this server. */
export type ReceivedBody = {
  source: AsyncIterable<Uint8Array>
  content_type: string | undefined
  /** Undefined for a chunked body. */
  content_length: number | undefined
  signal?: AbortSignal
}

/**
 * Streams the bytes of a presigned upload into the blob store; later ones replace earlier ones until the
 * upload is confirmed. Returns their MD5. Bytes without a row after a crash are swept like others.
 */
export async function receiveBytes(
  context: UploadContext,
  scope: Scope,
  upload_id: string,
  { source, content_type, content_length, signal }: ReceivedBody,
): Promise<{ etag: string }> {
  const { db, files, limits } = context
  const row = await store.findUpload(db, scope, upload_id)
  requireReceiving(row)
  if (row.kind !== 'presigned') throw new KuraError('upload_not_pending', { status: 'resumable' })
  if (normalizeMime(content_type) !== normalizeMime(row.content_type))
    throw new KuraError('upload_content_type_mismatch', { expected: row.content_type })
  const limit_bytes = row.file_size_bytes ?? limits.upload_limit_bytes
  requireSize(content_length, row, limit_bytes)
  const bucket = await findBucket(db, scope, row.bucket_id)
  requireWritable(bucket)
  const tap = new Md5Tap()
  const staged = await files
    .stage(scope, tap.through(source), {
      mime_type: row.content_type,
      filename: row.filename,
      limit_bytes,
      storage_class: bucket.storage_class,
      ...(signal && { signal }),
    })
    .catch((error: unknown) => {
      throw asSizeMismatch(error, row)
    })
  try {
    if (staged.size_bytes === 0) throw new KuraError('upload_bytes_missing')
    if (row.file_size_bytes !== null && staged.size_bytes !== row.file_size_bytes)
      throw new KuraError('size_mismatch', { actual: staged.size_bytes, expected: row.file_size_bytes })
    staged.mime_type = await sniffMime(staged.head, row.content_type, row.filename)
    const etag = tap.digest()
    await files.deleteBytes(await keep(context, scope, row, staged, etag))
    return { etag }
  } catch (error) {
    await files.discard([staged])
    throw error
  }
}

/** Refuses early what its header says already. */
function requireSize(content_length: number | undefined, row: UploadRow, limit_bytes: number): void {
  if (content_length === undefined) return
  if (row.file_size_bytes !== null && content_length !== row.file_size_bytes)
    throw new KuraError('size_mismatch', { actual: content_length, expected: row.file_size_bytes })
  if (content_length > limit_bytes) throw new KuraError('upload_too_large', { limit_bytes })
}

/** More bytes than were declared are a wrong size, not a body that is too large. */
function asSizeMismatch(error: unknown, { file_size_bytes }: UploadRow): unknown {
  if (!(error instanceof KuraError) || error.code !== 'payload_too_large') return error
  return file_size_bytes === null
    ? new KuraError('upload_too_large', error.details)
    : new KuraError('size_mismatch', { actual: 'more', expected: file_size_bytes })
}

function keep(
  { db, files }: UploadContext,
  scope: Scope,
  { upload_id }: UploadRow,
  staged: StagedFile,
  etag: string,
): Promise<OrphanedFile[]> {
  return inTransaction(db, async (trx) => {
    // The upload may have been confirmed, canceled or sent again while the bytes arrived.
    const row = await store.findUpload(trx, scope, upload_id, { lock: true })
    if (row.status !== 'PENDING') throw new KuraError('upload_not_pending', { status: row.status })
    const orphans = await files.release(trx, scope, 'upload', [upload_id])
    const [file_id] = await files.commit(trx, scope, [staged], { type: 'upload', id: upload_id })
    await store.updateUpload(trx, scope, upload_id, { file_id: file_id!, etag, received_at: timestamp() })
    return orphans
  })
}
