import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { inTransaction } from '../../platform/db/db.ts'
import type { StagedFile } from '../../platform/files/files.ts'
import { sniffMime } from '../../platform/media/mime.ts'
import type { UploadContext } from './context.ts'
import { digestOf, Md5Tap } from './digest.ts'
import { isOpen, type UploadRow } from './record.ts'
import * as store from './store.ts'

/** Bytes that have arrived for an upload: as a file, or only in the blob store. */
export async function arrivedBytes({ blobs, files }: UploadContext, scope: Scope, row: UploadRow) {
  if (row.file_id !== null) return (await files.info(scope, row.file_id)).size_bytes
  if (row.storage_key === null) return null
  if (row.kind === 'tus') {
    const offset = await blobs.resumable.offset(row.storage_key)
    if (offset !== null) {
      if (offset !== row.file_size_bytes) return null
      // Doing it again after a crash is no error.
      return (await blobs.resumable.finish(row.storage_key)).size_bytes
    }
  }
  return blobs.size(row.storage_key)
}

/**
 * Makes arrived bytes a file of the upload, reading them once for their hash. Those of a resumable
 * upload stay where they are, unless they have to go into the archive. Those that a client has put into an object store itself are copied,
 * because its URL lets it change them until it expires. Returns the upload as it is then.
 */
export async function adoptBytes(
  context: UploadContext,
  scope: Scope,
  row: UploadRow,
  { storage_class, signal }: { storage_class: string | null; signal?: AbortSignal | undefined },
): Promise<UploadRow> {
  if (row.file_id !== null || row.storage_key === null) return row
  const { db, files } = context
  const isInPlace = row.kind === 'tus' && storage_class !== 'archive'
  const { staged, etag } = isInPlace
    ? await digestInPlace(context, row, row.storage_key, storage_class, signal)
    : await copy(context, scope, row, row.storage_key, storage_class, signal)
  const after = await inTransaction(db, async (trx) => {
    const now = await store.findUpload(trx, scope, row.upload_id, { lock: true })
    if (!isOpen(now) || now.file_id !== null) return now
    const [file_id] = await files.commit(trx, scope, [staged], { type: 'upload', id: row.upload_id })
    const change = {
      file_id: file_id!,
      etag,
      received_at: timestamp(),
      storage_key: row.kind === 'tus' ? null : row.storage_key,
    }
    await store.updateUpload(trx, scope, row.upload_id, change)
    return { ...now, ...change }
  }).catch(async (error: unknown) => {
    if (!isInPlace) await files.discard([staged])
    throw error
  })
  if (!isInPlace && after.file_id !== staged.file_id) await files.discard([staged])
  else if (!isInPlace && row.kind === 'tus') await files.deleteBytes([{ storage_key: row.storage_key }])
  return after
}

/** Forgets a copy that was refused, so that the client may send other bytes. */
export async function unadopt({ db, files }: UploadContext, scope: Scope, row: UploadRow): Promise<void> {
  if (row.storage_key === null || row.file_id === null) return
  const orphans = await inTransaction(db, async (trx) => {
    const now = await store.findUpload(trx, scope, row.upload_id, { lock: true })
    if (!isOpen(now) || now.file_id !== row.file_id) return []
    await store.updateUpload(trx, scope, row.upload_id, { file_id: null, etag: null, received_at: null })
    return files.release(trx, scope, 'upload', [row.upload_id])
  })
  await files.deleteBytes(orphans)
}

type Adopted = { staged: StagedFile; etag: string | null }

async function digestInPlace(
  { blobs }: UploadContext,
  { filename, content_type }: UploadRow,
  storage_key: string,
  storage_class: string | null,
  signal: AbortSignal | undefined,
): Promise<Adopted> {
  const { head, sha256, size_bytes } = await digestOf(await blobs.read(storage_key), signal)
  const file_id = storage_key.slice(storage_key.lastIndexOf('/') + 1)
  const mime_type = await sniffMime(head, content_type, filename)
  const bytes = { content: null, storage_key, storage_class, head }
  const staged: StagedFile = { file_id, sha256, size_bytes, mime_type, filename, ...bytes }
  return { staged, etag: null }
}

async function copy(
  { blobs, files, limits }: UploadContext,
  scope: Scope,
  { filename, content_type }: UploadRow,
  storage_key: string,
  storage_class: string | null,
  signal: AbortSignal | undefined,
): Promise<Adopted> {
  const tap = new Md5Tap()
  const staged = await files.stage(scope, tap.through(await blobs.read(storage_key)), {
    mime_type: content_type,
    filename,
    limit_bytes: limits.upload_limit_bytes,
    storage_class,
    ...(signal && { signal }),
  })
  if (staged.size_bytes === 0) {
    await files.discard([staged])
    throw new KuraError('upload_bytes_missing')
  }
  staged.mime_type = await sniffMime(staged.head, content_type, filename)
  return { staged, etag: tap.digest() }
}
