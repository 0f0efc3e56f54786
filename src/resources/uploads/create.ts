import type { Insertable } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp, toTimestamp } from '../../core/time.ts'
import { inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import { type BucketRecord, findBucket, requireWritable } from '../buckets/index.ts'
import type { UploadContext } from './context.ts'
import { type UploadRow, uploadKey } from './record.ts'
import { type CheckedUpload, checkUpload } from './rules.ts'
import type { CreateUploadBody, Policy } from './schemas.ts'
import * as store from './store.ts'

/** S3 takes no more than this in one PUT (Amazon S3 user guide, "Uploading objects"). */
const PRESIGNED_BYTES_MAX = 5 * 1024 ** 3

type NewUpload = {
  kind: 'presigned' | 'tus'
  policy: Policy | null
  /** Upload-Metadata of a resumable upload. */
  tus_metadata?: Record<string, string | null>
}

/** An upload that was made, or an earlier one with the same bytes, which is not made again. */
export type CreatedUpload = { row: UploadRow; is_duplicate: boolean }

/**
 * Creates uploads, all of them or none: everything is checked before anything is written. Resumable
 * ones are never answered with an earlier upload; equal bytes are found when they are confirmed.
 */
export async function createUploads(
  context: UploadContext,
  scope: Scope,
  bucket_identifier: string,
  bodies: readonly { body: CreateUploadBody; loc: (string | number)[] }[],
  options: NewUpload,
): Promise<CreatedUpload[]> {
  const { db, objects, limits } = context
  const bucket = await findBucket(db, scope, bucket_identifier)
  requireWritable(bucket)
  const limit_bytes = limitOf(context, options)
  const checked = bodies.map(({ body, loc }) =>
    checkUpload(objects, bucket, body, { policy: options.policy, loc, limit_bytes }),
  )
  const internal_id = await store.findInternalId(db, scope)
  return inTransaction(db, async (trx) => {
    await store.lockOpen(trx, scope)
    const open = await store.countOpen(trx, scope, bucket.bucket_id)
    requireRoom('open_uploads_per_bucket', open.bucket + checked.length, limits)
    requireRoom('open_uploads', open.all + checked.length, limits)
    const created: CreatedUpload[] = []
    for (const upload of checked) {
      const known = options.kind === 'tus' ? undefined : await findDuplicate(trx, scope, bucket, upload)
      if (known) {
        created.push({ row: known, is_duplicate: true })
        continue
      }
      const existing_object_id = await takenBy(trx, context, scope, bucket, upload)
      if (existing_object_id !== undefined && options.kind === 'tus')
        throw new KuraError('unique_key_exists', { existing_object_id, unique_key: upload.key!.values })
      const row = newRow(context, scope, bucket, upload, { ...options, internal_id, existing_object_id })
      await store.insertUploads(trx, [row])
      created.push({ row: row as UploadRow, is_duplicate: false })
    }
    return created
  })
}

function limitOf({ blobs, limits }: UploadContext, { kind }: NewUpload): number {
  const isDirect = kind === 'presigned' && blobs.presign !== undefined
  return isDirect ? Math.min(PRESIGNED_BYTES_MAX, limits.upload_limit_bytes) : limits.upload_limit_bytes
}

function requireRoom(
  resource: 'open_uploads_per_bucket' | 'open_uploads',
  wanted: number,
  limits: UploadContext['limits'],
): void {
  const limit = limits[resource]
  if (wanted > limit) throw new KuraError('quota_exceeded', { resource, current: wanted - 1, limit })
}

async function findDuplicate(
  trx: Trx,
  scope: Scope,
  { bucket_id }: BucketRecord,
  { body }: CheckedUpload,
): Promise<UploadRow | undefined> {
  if (!body.skip_duplicates || !body.file_hash) return undefined
  return store.findEqual(trx, scope, bucket_id, {
    file_hash: body.file_hash,
    with_object: body.create_object_on_confirm,
  })
}

/** The object that has the unique key already, where the policy is to insert. */
async function takenBy(
  trx: Trx,
  { objects }: UploadContext,
  scope: Scope,
  { bucket_id }: BucketRecord,
  { key }: CheckedUpload,
): Promise<string | undefined> {
  return key?.policy === 'insert' ? objects.findByKey(trx, scope, bucket_id, key) : undefined
}

type RowOptions = NewUpload & { internal_id: string; existing_object_id: string | undefined }

function newRow(
  { blobs, limits }: UploadContext,
  { organizationId, namespaceId }: Scope,
  { bucket_id }: BucketRecord,
  { body, blob_property, blob_type }: CheckedUpload,
  { kind, policy, tus_metadata, internal_id, existing_object_id }: RowOptions,
): Insertable<Schema['uploads']> & Partial<UploadRow> {
  const upload_id = newId.upload()
  const created_at = timestamp()
  const isSkipped = existing_object_id !== undefined
  const seconds = kind === 'tus' ? limits.resumable_upload_seconds : body.presigned_url_expiration
  // Bytes that come by way of the server are staged as files; only other ways need a place of their own.
  const hasPlace = !isSkipped && (kind === 'tus' || blobs.presign !== undefined)
  return {
    namespace_id: namespaceId,
    upload_id,
    organization_id: organizationId,
    bucket_id,
    kind,
    status: isSkipped ? 'CANCELED' : 'PENDING',
    filename: body.filename,
    content_type: body.content_type,
    file_size_bytes: body.file_size_bytes ?? null,
    presigned_url_expiration: seconds,
    s3_key: `${internal_id}/${namespaceId}/api_buckets_uploads_create/${upload_id}/${body.filename}`,
    metadata: JSON.stringify(body.metadata ?? {}),
    create_object_on_confirm: body.create_object_on_confirm ? 1 : 0,
    object_metadata: body.object_metadata ? JSON.stringify(body.object_metadata) : null,
    blob_property,
    blob_type,
    policy,
    file_hash: body.file_hash ?? null,
    skip_duplicates: body.skip_duplicates ? 1 : 0,
    is_duplicate: 0,
    duplicate_of_upload_id: null,
    skipped_unique_key: isSkipped ? 1 : 0,
    existing_object_id: existing_object_id ?? null,
    message: isSkipped
      ? 'An object with this unique key exists already; nothing needs to be uploaded.'
      : null,
    tus_metadata: tus_metadata ? JSON.stringify(tus_metadata) : null,
    created_at,
    expires_at: toTimestamp(Date.parse(created_at) + seconds * 1000),
    received_at: null,
    completed_at: null,
    verified_at: null,
    ended_at: isSkipped ? created_at : null,
    etag: null,
    object_id: null,
    task_id: null,
    file_id: null,
    storage_key: hasPlace ? uploadKey(namespaceId, newId.file()) : null,
    lock_token: null,
    lock_expires_at: null,
    lock_wanted: 0,
  }
}
