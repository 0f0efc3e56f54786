import Type, { type Static } from 'typebox'
import { BucketSchema, UniqueKeyConfig } from '../../core/bucket-schema.ts'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, ListMembers, optional, Timestamp } from '../../core/schema.ts'
import { TaskStatusEnum } from '../../core/task-status.ts'

const DESCRIPTION_LENGTH_MAX = 16_384
const Description = Type.String({ maxLength: DESCRIPTION_LENGTH_MAX })

/** Where bytes written from now on are kept; what has been written stays. */
export const StorageClass = Type.Enum(['standard', 'nearline', 'coldline', 'archive'], {
  $id: 'StorageClass',
})

const extensions = {
  storage_class: optional(StorageClass),
  is_locked: Type.Optional(Type.Boolean()),
  source_adapter: optional(FreeObject),
}

export const CreateBucketBody = Type.Object(
  {
    bucket_name: Type.String(),
    description: optional(Description),
    bucket_schema: BucketSchema,
    unique_key: optional(UniqueKeyConfig),
    metadata: Type.Optional(FreeObject),
    ...extensions,
  },
  { $id: 'BucketCreateRequest' },
)
export type CreateBucketBody = Static<typeof CreateBucketBody>

export const UpdateBucketBody = Type.Object(
  {
    bucket_name: optional(Type.String()),
    description: optional(Description),
    metadata: optional(FreeObject),
    /** Only to be refused: it is set when a bucket is created. */
    unique_key: optional(FreeObject),
  },
  { $id: 'BucketUpdateRequest' },
)
export type UpdateBucketBody = Static<typeof UpdateBucketBody>

export const PatchBucketBody = Type.Object(
  {
    ...UpdateBucketBody.properties,
    bucket_schema: optional(BucketSchema),
    ...extensions,
    /** Set by administrators; the value of a bucket that is being deleted is only sent back. */
    status: optional(TaskStatusEnum),
  },
  { $id: 'BucketPatchRequest' },
)
export type PatchBucketBody = Static<typeof PatchBucketBody>

const BatchStatistics = Type.Object(
  {
    total: Type.Integer(),
    active: Type.Integer(),
    completed: Type.Integer(),
    failed: Type.Integer(),
  },
  { $id: 'BatchStatistics' },
)

const StorageStatistics = Type.Object(
  {
    total_size_bytes: Type.Integer(),
    avg_size_bytes: Type.Integer(),
    max_size_bytes: Type.Integer(),
    min_size_bytes: Type.Integer(),
  },
  { $id: 'StorageStatistics' },
)

export const BucketResponse = Type.Object(
  {
    bucket_id: Type.String(),
    bucket_name: Type.String(),
    description: optional(Type.String()),
    bucket_schema: optional(BucketSchema),
    unique_key: optional(UniqueKeyConfig),
    metadata: FreeObject,
    storage_class: optional(StorageClass),
    object_count: Type.Integer(),
    total_size_bytes: Type.Integer(),
    created_at: Timestamp,
    updated_at: Timestamp,
    last_upload_at: optional(Timestamp),
    stats_updated_at: optional(Timestamp),
    status: TaskStatusEnum,
    is_locked: Type.Boolean(),
    batch_stats: BatchStatistics,
    storage_stats: StorageStatistics,
    source_adapter: optional(FreeObject),
  },
  { $id: 'BucketResponse' },
)
export type BucketResponse = Static<typeof BucketResponse>

export const ListBucketsBody = Type.Object(
  {
    limit: Defaulted(Type.Integer({ minimum: 1, maximum: 1000 }), 10),
    offset: Defaulted(Type.Integer({ minimum: 0 }), 0),
    ...ListMembers,
  },
  { $id: 'ListBucketsRequest' },
)
/** Paging is read apart: it may also come in the query. */
export type ListBucketsBody = Omit<Static<typeof ListBucketsBody>, 'limit' | 'offset'>

export const ListBucketsResponse = Type.Object(
  {
    results: Type.Array(BucketResponse),
    total_count: Type.Integer(),
    pagination: Pagination,
    stats: Type.Object(
      {
        total_objects: Type.Integer(),
        total_size_bytes: Type.Integer(),
        avg_objects_per_bucket: Type.Number(),
        avg_size_per_bucket: Type.Number(),
      },
      { $id: 'BucketListStats' },
    ),
  },
  { $id: 'ListBucketsResponse' },
)
export type ListBucketsResponse = Static<typeof ListBucketsResponse>

export const DeleteBucketResponse = Type.Object({
  task_id: Type.String(),
  status: TaskStatusEnum,
  bucket_id: Type.String(),
  bucket_name: Type.String(),
  object_count: Type.Integer(),
})
export type DeleteBucketResponse = Static<typeof DeleteBucketResponse>
