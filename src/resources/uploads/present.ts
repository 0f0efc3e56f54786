import { omitNulls } from '../../core/json.ts'
import type { UploadRow } from './record.ts'
import type { ConfirmUploadResponse, UploadResponse } from './schemas.ts'

/** The wire form of an upload. `presigned_url`: of its PUT when it is created, later of its file. */
export function presentUpload(
  row: UploadRow,
  { presigned_url = null, is_repeat = false }: { presigned_url?: string | null; is_repeat?: boolean } = {},
): UploadResponse {
  return omitNulls({
    upload_id: row.upload_id,
    bucket_id: row.bucket_id,
    filename: row.filename,
    content_type: row.content_type,
    file_size_bytes: row.file_size_bytes,
    presigned_url,
    presigned_url_expiration: row.presigned_url_expiration,
    s3_key: row.s3_key,
    status: row.status,
    metadata: JSON.parse(row.metadata),
    create_object_on_confirm: row.create_object_on_confirm === 1,
    object_metadata: row.object_metadata === null ? null : JSON.parse(row.object_metadata),
    blob_property: row.blob_property,
    blob_type: row.blob_type,
    file_hash: row.file_hash,
    skip_duplicates: row.skip_duplicates === 1,
    is_duplicate: is_repeat || row.is_duplicate === 1,
    duplicate_of_upload_id: is_repeat ? row.upload_id : row.duplicate_of_upload_id,
    skipped_unique_key: row.skipped_unique_key === 1,
    existing_object_id: row.existing_object_id,
    message: is_repeat ? 'These bytes were uploaded before; nothing needs to be uploaded.' : row.message,
    created_at: row.created_at,
    expires_at: row.expires_at,
    completed_at: row.completed_at,
    verified_at: row.verified_at,
    etag: row.etag,
    object_id: row.object_id,
    task_id: row.task_id,
  }) as UploadResponse
}

/** The answer to a confirmation: what the upload is now. */
export function presentConfirmation(row: UploadRow): ConfirmUploadResponse {
  const isDone = row.status === 'COMPLETED'
  return omitNulls({
    upload_id: row.upload_id,
    status: row.status,
    etag: row.etag,
    file_size_bytes: row.file_size_bytes,
    file_hash: row.file_hash,
    verified_at: row.verified_at,
    completed_at: row.completed_at,
    object_id: row.object_id,
    task_id: row.task_id,
    message:
      row.message ?? (isDone ? 'The upload is confirmed.' : 'The confirmation runs in the background.'),
    is_duplicate: isDone ? row.is_duplicate === 1 : null,
    duplicate_of_upload_id: row.duplicate_of_upload_id,
  }) as ConfirmUploadResponse
}
