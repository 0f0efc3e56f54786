import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp, toTimestamp } from '../../core/time.ts'
import type { BlobStore } from '../../platform/blobs/blobs.ts'
import { type Db, dialect, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import type { UploadContext } from './context.ts'
import { GRACE_MS, isPast, UPLOAD_KEY_PREFIX, type UploadRow } from './record.ts'
import * as store from './store.ts'

/** Rows removed in one transaction: no writer waits long. */
const SLICE_UPLOADS = 500

/** Records stay this long after their end (contract, uploads). */
const KEPT_MS = 30 * 24 * 3600_000

/** Bytes that no row names may belong to a request that is about to write it. */
const LEFTOVER_AGE_MS = 3600_000

type Bytes = Pick<UploadContext, 'db' | 'files' | 'blobs'>

/** Removes an upload that is not confirmed, and what has arrived for it. Throws `upload_completed`. */
export async function deleteUpload(
  context: Bytes,
  scope: Scope,
  bucket_id: string,
  upload_id: string,
): Promise<void> {
  const { db, files } = context
  const { row, orphans } = await inTransaction(db, async (trx) => {
    const row = await store.findUpload(trx, scope, upload_id, { bucket_id, lock: true })
    if (row.status === 'COMPLETED') throw new KuraError('upload_completed')
    if (row.status === 'PROCESSING') throw new KuraError('upload_locked')
    const orphans = await files.release(trx, scope, 'upload', [upload_id])
    await store.deleteUploads(trx, scope, [upload_id])
    return { row, orphans }
  })
  await files.deleteBytes(orphans)
  await dropArrived(context, row)
}

/** Drops what lies at the place where bytes of an upload arrive. */
async function dropArrived({ blobs, files }: Bytes, { storage_key, kind }: UploadRow): Promise<void> {
  if (storage_key === null) return
  if (kind === 'tus') await blobs.resumable.abort(storage_key)
  await files.deleteBytes([{ storage_key }])
}

/**
 * Removes some uploads of a bucket that is being deleted; null: there are none left. Hand the files to
 * `deleteBytes` after the commit; unfinished writes are swept.
 */
export async function purgeUploads(
  trx: Trx,
  files: Pick<Files, 'release'>,
  scope: Scope,
  bucket_id: string,
): Promise<OrphanedFile[] | null> {
  const query = trx
    .selectFrom('uploads')
    .select(['upload_id', 'storage_key'])
    .where('namespace_id', '=', scope.namespaceId)
    .where('bucket_id', '=', bucket_id)
    .orderBy('upload_id')
    .limit(SLICE_UPLOADS)
  // Locked: a PUT that commits its file between the release and the removal would leave it to nobody.
  const rows = await (dialect(trx) === 'postgres' ? query.forUpdate() : query).execute()
  if (rows.length === 0) return null
  const upload_ids = rows.map(({ upload_id }) => upload_id)
  const orphans = await files.release(trx, scope, 'upload', upload_ids)
  await store.deleteUploads(trx, scope, upload_ids)
  return [...orphans, ...rows.flatMap(({ storage_key }) => (storage_key === null ? [] : [{ storage_key }]))]
}

export type UploadsCleaned = { uploads_expired: number; uploads_removed: number; leftovers_deleted: number }

/** What housekeeping does about uploads: ends those past their time, removes old records and leftover bytes. */
export async function cleanUploads(context: Bytes, now_ms = Date.now()): Promise<UploadsCleaned> {
  return {
    uploads_expired: await expireUploads(context, now_ms),
    uploads_removed: await removeEnded(context, now_ms),
    leftovers_deleted: await sweepLeftovers(context, now_ms),
  }
}

/** Without bytes an upload FAILS at its expiry; with them a day later. */
async function expireUploads(context: Bytes, now_ms: number): Promise<number> {
  const { db } = context
  let count = 0
  let after = ''
  for (;;) {
    const rows = await db
      .selectFrom('uploads')
      .selectAll()
      .where('ended_at', 'is', null)
      .where('expires_at', '<=', toTimestamp(now_ms))
      .where('upload_id', '>', after)
      .orderBy('upload_id')
      .limit(SLICE_UPLOADS)
      .execute()
    for (const row of rows) {
      if (row.status === 'PENDING' && (await isOver(context, row, now_ms)) && (await fail(context, row)))
        count++
    }
    if (rows.length < SLICE_UPLOADS) return count
    after = rows.at(-1)!.upload_id
  }
}

async function isOver({ blobs }: Bytes, row: UploadRow, now_ms: number): Promise<boolean> {
  if (isPast(row.expires_at, now_ms, GRACE_MS)) return true
  if (row.file_id !== null) return false
  if (row.storage_key === null) return true
  const offset = row.kind === 'tus' ? await blobs.resumable.offset(row.storage_key) : null
  if (offset !== null) return offset !== row.file_size_bytes
  return (await blobs.size(row.storage_key)) === null
}

async function fail(
  context: Bytes,
  { namespace_id, organization_id, upload_id, file_id }: UploadRow,
): Promise<boolean> {
  const { db, files } = context
  const scope: Scope = { organizationId: organization_id, namespaceId: namespace_id }
  const failed = await inTransaction(db, async (trx) => {
    const row = await store.findUpload(trx, scope, upload_id, { lock: true })
    // Bytes that have come since it was judged are left to the next run.
    if (row.status !== 'PENDING' || row.file_id !== file_id) return null
    await store.updateUpload(trx, scope, upload_id, {
      status: 'FAILED',
      message: 'The upload expired before it was confirmed.',
      ended_at: timestamp(),
      file_id: null,
      storage_key: null,
    })
    return { row, orphans: await files.release(trx, scope, 'upload', [upload_id]) }
  })
  if (!failed) return false
  await files.deleteBytes(failed.orphans)
  await dropArrived(context, failed.row)
  return true
}

async function removeEnded({ db, files }: Bytes, now_ms: number): Promise<number> {
  let count = 0
  for (;;) {
    const rows = await db
      .selectFrom('uploads')
      .select(['namespace_id', 'organization_id', 'upload_id'])
      .where('ended_at', '<', toTimestamp(now_ms - KEPT_MS))
      .orderBy('ended_at')
      .limit(SLICE_UPLOADS)
      .execute()
    if (rows.length === 0) return count
    for (const { namespace_id, organization_id, upload_id } of rows) {
      const scope: Scope = { organizationId: organization_id, namespaceId: namespace_id }
      const orphans = await inTransaction(db, async (trx) => {
        const released = await files.release(trx, scope, 'upload', [upload_id])
        await store.deleteUploads(trx, scope, [upload_id])
        return released
      })
      await files.deleteBytes(orphans)
      count++
    }
  }
}

/**
 * Bytes under the prefix of uploads that neither an upload nor a file names: remains of a crash, of a
 * PUT after the confirmation, of an upload that was removed.
 */
async function sweepLeftovers({ db, blobs }: { db: Db; blobs: BlobStore }, now_ms: number): Promise<number> {
  let count = 0
  for await (const { key, modified_at_ms } of blobs.list(UPLOAD_KEY_PREFIX)) {
    if (modified_at_ms > now_ms - LEFTOVER_AGE_MS || (await isNamed(db, key))) continue
    await blobs.delete(key)
    count++
  }
  return count
}

/** A key of an unfinished write is that of the upload with an ending; file ids hold no dot. */
async function isNamed(db: Db, key: string): Promise<boolean> {
  const bare = key.split('.')[0]!
  if ((await store.namedKeys(db, [bare])).size > 0) return true
  if (bare !== key) return false
  const row = await db
    .selectFrom('files')
    .select('file_id')
    .where('storage_key', '=', key)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
