import { KuraError } from '../../core/errors.ts'
import { fileAddress } from '../../core/file-address.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { inTransaction, type Trx } from '../../platform/db/db.ts'
import type { FileInfo, OrphanedFile } from '../../platform/files/files.ts'
import { type BucketRecord, findBucket, requireWritable } from '../buckets/index.ts'
import { adoptBytes, arrivedBytes, unadopt } from './adopt.ts'
import type { UploadContext } from './context.ts'
import { GRACE_MS, isOpen, isPast, type UploadRow } from './record.ts'
import { objectOf } from './rules.ts'
import type { ConfirmUploadBody, Policy } from './schemas.ts'
import * as store from './store.ts'

/** Who loses a race against new bytes for the same upload starts again with those. */
const ATTEMPTS_MAX = 3

export type Confirming = {
  body: ConfirmUploadBody
  signal?: AbortSignal
}

/** Whether there is anything left to confirm. Throws `upload_not_confirmable` for what can never be. */
export function isConfirmed({ status }: UploadRow): boolean {
  if (status === 'COMPLETED') return true
  if (status !== 'PENDING' && status !== 'PROCESSING')
    throw new KuraError('upload_not_confirmable', { status })
  return false
}

/** The size of what has arrived. Throws `upload_bytes_missing`, `upload_expired`, `size_mismatch`. */
export async function requireBytes(
  context: UploadContext,
  scope: Scope,
  row: UploadRow,
  { file_size_bytes }: ConfirmUploadBody,
): Promise<number> {
  if (isPast(row.expires_at, Date.now(), GRACE_MS)) throw new KuraError('upload_expired')
  const actual = await arrivedBytes(context, scope, row)
  if (actual === null) throw new KuraError(isPast(row.expires_at) ? 'upload_expired' : 'upload_bytes_missing')
  checkSize(actual, row.file_size_bytes, file_size_bytes)
  return actual
}

function checkSize(actual: number, ...expected_sizes: (number | null | undefined)[]): void {
  for (const expected of expected_sizes) {
    if (typeof expected === 'number' && expected !== actual)
      throw new KuraError('size_mismatch', { actual, expected })
  }
}

/**
 * Confirms an upload: its bytes become a file, its object is created in the transaction that marks it
 * COMPLETED. Everything may be done again after a crash at any point. Returns the upload as it is then;
 * on an error it stays as it was.
 */
export async function confirmUpload(
  context: UploadContext,
  scope: Scope,
  upload_id: string,
  confirming: Confirming,
): Promise<UploadRow> {
  for (let attempt = 1; ; attempt++) {
    const row = await store.findUpload(context.db, scope, upload_id)
    if (isConfirmed(row)) return row
    const bucket = await findBucket(context.db, scope, row.bucket_id)
    requireWritable(bucket)
    await requireBytes(context, scope, row, confirming.body)
    const done = await confirmBytes(context, scope, bucket, row, confirming)
    if (done) return done
    if (attempt === ATTEMPTS_MAX) throw new KuraError('upload_locked')
  }
}

/** Null: the upload has other bytes by now, or another request has ended it. */
async function confirmBytes(
  context: UploadContext,
  scope: Scope,
  bucket: BucketRecord,
  row: UploadRow,
  { body, signal }: Confirming,
): Promise<UploadRow | null> {
  const adopted = await adoptBytes(context, scope, row, { storage_class: bucket.storage_class, signal })
  if (!isOpen(adopted) || adopted.file_id === null) return isConfirmed(adopted) ? adopted : null
  try {
    const file = await context.files.info(scope, adopted.file_id)
    checkContent(adopted, file, body)
    const { row: done, orphans } = await complete(context, scope, bucket, { row: adopted, file, signal })
    await context.files.deleteBytes(orphans)
    return done
  } catch (error) {
    const now = await store.findUpload(context.db, scope, row.upload_id)
    if (!isOpen(now) || now.file_id !== adopted.file_id) return null
    await unadopt(context, scope, adopted)
    throw error
  }
}

function checkContent(
  row: UploadRow,
  file: { sha256: string; size_bytes: number },
  { etag, file_hash, file_size_bytes }: ConfirmUploadBody,
): void {
  // Again: through a presigned URL of a store they may have been replaced before they were read.
  checkSize(file.size_bytes, row.file_size_bytes, file_size_bytes)
  const bare = etag?.trim().replace(/^(?:W\/)?"?|"$/g, '')
  if (bare && row.etag !== null && bare.toLowerCase() !== row.etag)
    throw new KuraError('etag_mismatch', { actual: row.etag })
  for (const expected of [row.file_hash, file_hash]) {
    if (expected && expected !== file.sha256) throw new KuraError('hash_mismatch', { actual: file.sha256 })
  }
}

type Completed = { row: UploadRow | null; orphans: OrphanedFile[] }

function complete(
  context: UploadContext,
  scope: Scope,
  bucket: BucketRecord,
  { row, file, signal }: { row: UploadRow; file: FileInfo; signal: AbortSignal | undefined },
): Promise<Completed> {
  if (row.create_object_on_confirm === 0)
    return inTransaction(context.db, (trx) => completeIn(context, trx, scope, row, file, null))
  const object_metadata = row.object_metadata === null ? null : JSON.parse(row.object_metadata)
  const policy = row.policy as Policy | null
  const object = objectOf({ ...row, object_metadata, policy }, fileAddress(row.file_id!))
  return context.objects.createWith(
    scope,
    bucket,
    object,
    (trx, create) => completeIn(context, trx, scope, row, file, create),
    signal ? { signal } : {},
  )
}

async function completeIn(
  { files }: UploadContext,
  trx: Trx,
  scope: Scope,
  { upload_id, bucket_id }: UploadRow,
  { file_id, sha256, size_bytes }: FileInfo,
  create: (() => Promise<string>) | null,
): Promise<Completed> {
  await store.lockContent(trx, bucket_id, sha256)
  const row = await store.findUpload(trx, scope, upload_id, { lock: true })
  if (isConfirmed(row)) return { row, orphans: [] }
  if (row.file_id !== file_id) return { row: null, orphans: [] }
  const now = timestamp()
  const original = row.skip_duplicates
    ? await store.findEqual(trx, scope, bucket_id, { file_hash: sha256, with_object: create !== null })
    : undefined
  const change = {
    status: 'COMPLETED',
    file_size_bytes: size_bytes,
    file_hash: sha256,
    verified_at: now,
    completed_at: now,
    ended_at: now,
    storage_key: null,
    message: null as string | null,
  }
  // What lies at `storage_key` a presigned URL may overwrite until it expires; it is left to the sweep.
  const orphans: OrphanedFile[] = []
  if (!original) {
    const done = { ...change, object_id: create ? await create() : null }
    await store.updateUpload(trx, scope, upload_id, done)
    return { row: { ...row, ...done }, orphans }
  }
  const done = {
    ...change,
    is_duplicate: 1,
    duplicate_of_upload_id: original.upload_id,
    object_id: original.object_id,
    file_id: original.file_id,
    message: 'These bytes were uploaded before; the earlier ones are used.',
  }
  await files.reference(trx, scope, original.file_id!, { type: 'upload', id: upload_id })
  if (original.file_id !== file_id)
    orphans.push(...(await files.releaseFiles(trx, scope, { type: 'upload', id: upload_id }, [file_id])))
  await store.updateUpload(trx, scope, upload_id, done)
  return { row: { ...row, ...done }, orphans }
}
