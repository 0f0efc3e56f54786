import Type, { type Static } from 'typebox'
import { aggregationMembers, aggregationResponseMembers } from '../../core/aggregate/schemas.ts'
import { FIELD_TYPES } from '../../core/bucket-schema.ts'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, optional, Timestamp } from '../../core/schema.ts'
import { TaskStatusEnum } from '../../core/task-status.ts'

const blobSource = {
  key_prefix: optional(Type.String({ maxLength: 1024 })),
  type: Type.Optional(Type.Enum([...FIELD_TYPES])),
  /** A URL, text, JSON, `{base64, mime_type, filename}`, bare base64 or a data URI. */
  data: optional(Type.Unknown()),
  upload_id: optional(Type.String({ pattern: '^upl_[a-zA-Z0-9_-]+$' })),
  metadata: optional(FreeObject),
  canonicalize_source: optional(Type.Boolean()),
  force_remirror: optional(Type.Boolean()),
}

export const CreateBlobRequest = Type.Object(
  {
    property: Type.String({ minLength: 1, maxLength: 100 }),
    /** A blob of this object that stays as it is; clients send back what they were given. */
    blob_id: optional(Type.String()),
    ...blobSource,
  },
  { $id: 'CreateBlobRequest' },
)
export type CreateBlobRequest = Static<typeof CreateBlobRequest>

/** A root `blob` may leave open which property it belongs to. */
const RootBlob = Type.Object({
  ...blobSource,
  property: Type.Optional(CreateBlobRequest.properties.property),
})
export type RootBlob = Static<typeof RootBlob>

export const CreateObjectBody = Type.Object(
  {
    key_prefix: optional(Type.String({ maxLength: 1024 })),
    blobs: Type.Optional(Type.Array(CreateBlobRequest)),
    blob: optional(RootBlob),
    metadata: optional(FreeObject),
    skip_duplicates: Defaulted(Type.Boolean(), false),
    canonicalize_source: Defaulted(Type.Boolean(), true),
    force_remirror: Defaulted(Type.Boolean(), false),
  },
  { $id: 'CreateObjectRequest', additionalProperties: true },
)
export type CreateObjectBody = Static<typeof CreateObjectBody> & { [field: string]: unknown }

/** Members of PUT and PATCH; any other member is a field of the object. */
export const UpdateObjectBody = Type.Object(
  {
    key_prefix: optional(Type.String({ maxLength: 1024 })),
    blobs: optional(Type.Array(CreateBlobRequest)),
    blob: optional(RootBlob),
    metadata: optional(FreeObject),
    skip_duplicates: optional(Type.Boolean()),
    canonicalize_source: Defaulted(Type.Boolean(), true),
    force_remirror: Defaulted(Type.Boolean(), false),
  },
  { $id: 'UpdateObjectRequest', additionalProperties: true },
)
export const PatchObjectBody = Type.Object(UpdateObjectBody.properties, {
  $id: 'PatchObjectRequest',
  additionalProperties: true,
})

const BlobModel = Type.Object(
  {
    blob_id: Type.String(),
    property: Type.String(),
    key_prefix: Type.Optional(Type.String()),
    type: Type.Enum([...FIELD_TYPES]),
    properties: FreeObject,
    details: Type.Object(
      {
        filename: Type.Optional(Type.String()),
        size_bytes: Type.Optional(Type.Integer()),
        mime_type: Type.Optional(Type.String()),
        hash: Type.Optional(Type.String()),
      },
      { $id: 'BlobDetails' },
    ),
  },
  { $id: 'BlobModel' },
)

const objectMembers = {
  object_id: Type.String(),
  bucket_id: Type.String(),
  key_prefix: Type.Optional(Type.String()),
  blobs: Type.Array(BlobModel),
  source_details: Type.Array(
    Type.Object({ type: Type.String(), source_id: Type.String() }, { $id: 'SourceDetails' }),
  ),
  status: TaskStatusEnum,
  error: Type.Optional(Type.String()),
  created_at: Timestamp,
  updated_at: Timestamp,
}

/** The members of the user stand beside these. */
export const ObjectResponse = Type.Object(objectMembers, {
  $id: 'ObjectResponse',
  additionalProperties: true,
})
export type ObjectResponse = Static<typeof ObjectResponse> & { [field: string]: unknown }

export const WriteQuery = Type.Object({
  policy: optional(Type.Enum(['insert', 'update', 'upsert'])),
  auto_process: Defaulted(Type.Boolean(), false),
})
export type WriteQuery = Static<typeof WriteQuery>

export const CreateObjectsBatchBody = Type.Object(
  {
    // An object of the wrong shape fails alone, so the list as a whole takes anything.
    objects: Type.Array(Type.Union([CreateObjectBody, Type.Unknown()]), { minItems: 1, maxItems: 100 }),
  },
  { $id: 'CreateObjectsBatchRequest' },
)

const FailedObject = Type.Object(
  { object_index: Type.Integer(), error: Type.String(), error_type: Type.String() },
  { $id: 'FailedObjectError' },
)
export type FailedObject = Static<typeof FailedObject>

export const CreateObjectsBatchResponse = Type.Object(
  {
    succeeded: Type.Array(ObjectResponse),
    failed: Type.Array(FailedObject),
    total_requested: Type.Integer(),
    succeeded_count: Type.Integer(),
    failed_count: Type.Integer(),
    batch_id: Type.Optional(Type.String()),
    task_id: Type.Optional(Type.String()),
  },
  { $id: 'CreateObjectsBatchResponse' },
)
export type CreateObjectsBatchResponse = Static<typeof CreateObjectsBatchResponse>

export const PresignQuery = Type.Object({
  return_presigned_urls: Defaulted(Type.Boolean(), false),
  return_url: Defaulted(Type.Boolean(), false),
})

export const ListObjectsBody = Type.Object(
  {
    filters: optional(Type.Unknown()),
    sort: optional(Type.Unknown()),
    search: optional(Type.String()),
    select: optional(Type.Array(Type.String(), { maxItems: 100 })),
    case_sensitive: Type.Optional(Type.Boolean()),
  },
  { $id: 'ListObjectsRequest' },
)
export type ListObjectsBody = Static<typeof ListObjectsBody>

/** What the query of a list may hold besides paging and equality filters. */
export const ListObjectsQuery = Type.Object(
  {
    sort_field: Type.Optional(Type.String()),
    sort_direction: Type.Optional(Type.String()),
    ...PresignQuery.properties,
  },
  { additionalProperties: true },
)
export type ListObjectsQuery = Static<typeof ListObjectsQuery> & { [filter: string]: unknown }

/** `select` may leave members out. */
const SelectedObject = Type.Object(
  {
    ...Type.Partial(Type.Object(objectMembers)).properties,
    object_id: Type.String(),
    bucket_id: Type.String(),
    blobs: Type.Optional(
      Type.Array(
        Type.Object({
          ...Type.Partial(Type.Object(BlobModel.properties)).properties,
          property: Type.String(),
          type: BlobModel.properties.type,
        }),
      ),
    ),
  },
  { additionalProperties: true },
)

export const ListObjectsResponse = Type.Object(
  {
    results: Type.Array(SelectedObject),
    pagination: Pagination,
    stats: Type.Optional(
      Type.Object(
        {
          total_objects: Type.Integer(),
          total_blobs: Type.Integer(),
          avg_blobs_per_object: Type.Number(),
          objects_by_status: Type.Record(Type.String(), Type.Integer()),
        },
        { $id: 'ObjectListStats' },
      ),
    ),
  },
  { $id: 'ListObjectsResponse' },
)
export type ListObjectsResponse = Static<typeof ListObjectsResponse>

export const AggregateObjectsBody = Type.Object(aggregationMembers, { $id: 'ObjectAggregationRequest' })
export type AggregateObjectsBody = Static<typeof AggregateObjectsBody>

export const AggregateObjectsResponse = Type.Object(aggregationResponseMembers, {
  $id: 'ObjectAggregationResponse',
})
export type AggregateObjectsResponse = Static<typeof AggregateObjectsResponse>
