import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, ListMembers, optional, Timestamp } from '../../core/schema.ts'
import { TaskStatusEnum } from '../../core/task-status.ts'
import { TaskResponse } from '../tasks/index.ts'

/** Uploads of one batch request. */
const BATCH_MAX = 100

const Sha256 = Type.String({ minLength: 64, maxLength: 64, pattern: '^[a-f0-9]{64}$' })

export const Policy = Type.Enum(['insert', 'update', 'upsert'])
export type Policy = Static<typeof Policy>

export const CreateUploadBody = Type.Object(
  {
    filename: Type.String({ minLength: 1, maxLength: 255 }),
    content_type: Type.String({ maxLength: 255 }),
    file_size_bytes: optional(Type.Integer({ minimum: 1 })),
    presigned_url_expiration: Defaulted(Type.Integer({ minimum: 60, maximum: 86_400 }), 3600),
    metadata: optional(FreeObject),
    create_object_on_confirm: Defaulted(Type.Boolean(), true),
    object_metadata: optional(FreeObject),
    blob_property: optional(Type.String({ pattern: '^[a-zA-Z0-9_]+$' })),
    blob_type: optional(Type.String()),
    file_hash: optional(Sha256),
    skip_duplicates: Defaulted(Type.Boolean(), true),
  },
  { $id: 'CreateUploadRequest' },
)
export type CreateUploadBody = Static<typeof CreateUploadBody>

export const CreateUploadsBody = Type.Object(
  {
    uploads: Type.Array(CreateUploadBody, { minItems: 1, maxItems: BATCH_MAX }),
    shared_metadata: optional(FreeObject),
    shared_object_metadata: optional(FreeObject),
  },
  { $id: 'BatchUploadRequest' },
)
export type CreateUploadsBody = Static<typeof CreateUploadsBody>

export const UploadResponse = Type.Object(
  {
    upload_id: Type.String(),
    bucket_id: Type.String(),
    filename: Type.String(),
    content_type: Type.String(),
    file_size_bytes: Type.Optional(Type.Integer()),
    presigned_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2083, format: 'uri' })),
    presigned_url_expiration: Type.Integer(),
    s3_key: Type.String(),
    status: TaskStatusEnum,
    metadata: Type.Optional(FreeObject),
    create_object_on_confirm: Type.Boolean(),
    object_metadata: Type.Optional(FreeObject),
    blob_property: Type.Optional(Type.String()),
    blob_type: Type.Optional(Type.String()),
    file_hash: Type.Optional(Type.String()),
    skip_duplicates: Type.Boolean(),
    is_duplicate: Type.Boolean(),
    duplicate_of_upload_id: Type.Optional(Type.String()),
    skipped_unique_key: Type.Boolean(),
    existing_object_id: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
    created_at: Timestamp,
    expires_at: Timestamp,
    completed_at: Type.Optional(Timestamp),
    verified_at: Type.Optional(Timestamp),
    etag: Type.Optional(Type.String()),
    object_id: Type.Optional(Type.String()),
    task_id: Type.Optional(Type.String()),
  },
  { $id: 'UploadResponse' },
)
export type UploadResponse = Static<typeof UploadResponse>

export const CreateUploadsResponse = Type.Object(
  { uploads: Type.Array(UploadResponse), total: Type.Integer() },
  { $id: 'BatchUploadResponse' },
)
export type CreateUploadsResponse = Static<typeof CreateUploadsResponse>

/** `file_hash` (SHA-256) is an addition of ours. */
export const ConfirmUploadBody = Type.Object(
  {
    etag: optional(Type.String()),
    file_size_bytes: optional(Type.Integer({ minimum: 1 })),
    file_hash: optional(Sha256),
  },
  { $id: 'ConfirmUploadRequest' },
)
export type ConfirmUploadBody = Static<typeof ConfirmUploadBody>

/** One entry of a batch; the list takes free objects, so that each is checked with its place. */
export const Confirmation = Type.Object({
  upload_id: Type.String({ minLength: 1 }),
  ...ConfirmUploadBody.properties,
})
export type Confirmation = Static<typeof Confirmation>

export const ConfirmUploadResponse = Type.Object(
  {
    upload_id: Type.String(),
    status: TaskStatusEnum,
    etag: Type.Optional(Type.String()),
    file_size_bytes: Type.Optional(Type.Integer()),
    file_hash: Type.Optional(Type.String()),
    verified_at: Type.Optional(Timestamp),
    completed_at: Type.Optional(Timestamp),
    object_id: Type.Optional(Type.String()),
    task_id: Type.Optional(Type.String()),
    message: Type.Optional(Type.String()),
    is_duplicate: Type.Optional(Type.Boolean()),
    duplicate_of_upload_id: Type.Optional(Type.String()),
  },
  { $id: 'ConfirmUploadResponse' },
)
export type ConfirmUploadResponse = Static<typeof ConfirmUploadResponse>

export const ConfirmUploadsBody = Type.Object(
  { confirmations: Type.Array(Confirmation, { minItems: 1, maxItems: BATCH_MAX }) },
  { $id: 'BatchConfirmRequest' },
)
export type ConfirmUploadsBody = Static<typeof ConfirmUploadsBody>

export const ConfirmUploadsResponse = Type.Object(
  {
    task_id: Type.String(),
    status: TaskStatusEnum,
    confirmations_count: Type.Integer(),
    task: TaskResponse,
    message: Type.String(),
  },
  { $id: 'BatchConfirmResponse' },
)
export type ConfirmUploadsResponse = Static<typeof ConfirmUploadsResponse>

export const ListUploadsBody = Type.Object(
  {
    limit: Defaulted(Type.Integer({ minimum: 1, maximum: 100 }), 20),
    offset: Defaulted(Type.Integer({ minimum: 0 }), 0),
    ...ListMembers,
    return_presigned_urls: Defaulted(Type.Boolean(), false),
  },
  { $id: 'ListUploadsRequest' },
)
/** Paging is read apart: it may also come in the query. */
export type ListUploadsBody = Omit<Static<typeof ListUploadsBody>, 'limit' | 'offset'>

export const ListUploadsResponse = Type.Object(
  {
    results: Type.Array(UploadResponse),
    pagination: Pagination,
    stats: Type.Object(
      {
        total_uploads: Type.Integer(),
        total_size_bytes: Type.Integer(),
        uploads_by_status: Type.Record(Type.String(), Type.Integer()),
        avg_file_size_bytes: Type.Number(),
        unique_buckets: Type.Integer(),
      },
      { $id: 'UploadListStats' },
    ),
  },
  { $id: 'ListUploadsResponse' },
)
export type ListUploadsResponse = Static<typeof ListUploadsResponse>
