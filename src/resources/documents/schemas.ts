import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, optional, Timestamp } from '../../core/schema.ts'

const Objects = Type.Array(FreeObject)

const BlobURLRef = Type.Object(
  {
    field: Type.String({ minLength: 1 }),
    role: Type.Enum(['source', 'processed', 'thumbnail', 'artifact', 'aux']),
    type: Type.Enum(['video', 'image', 'audio', 'text', 'pdf', 'other']),
    url: Type.String({ minLength: 1 }),
    filename: optional(Type.String()),
    size_bytes: optional(Type.Integer({ minimum: 0 })),
    content_type: optional(Type.String()),
    checksum: optional(Type.String()),
    created_at: optional(Timestamp),
    source_blob_id: optional(Type.String()),
    presigned_url: optional(Type.String({ minLength: 1, format: 'uri' })),
  },
  { $id: 'BlobURLRef' },
)

const Lineage = Type.Object(
  {
    root_object_id: optional(Type.String()),
    root_bucket_id: optional(Type.String()),
    source_type: optional(Type.Enum(['bucket', 'collection'])),
    source_object_id: optional(Type.String()),
    source_document_id: optional(Type.String()),
    source_collection_id: optional(Type.String()),
    path: optional(Type.String()),
    chain: optional(Objects),
    processing_tier: Type.Optional(Type.Integer()),
  },
  { $id: 'InternalLineageModel', additionalProperties: true },
)

const Processing = Type.Object(
  {
    source_url: optional(Type.String()),
    object_key_source: optional(Type.String()),
    detected_mime_type: optional(Type.String()),
    history: optional(Objects),
    taxonomy_lineage: optional(Objects),
    last_health_check: optional(FreeObject),
  },
  { $id: 'InternalProcessingModel', additionalProperties: true },
)

const Internal = Type.Object(
  {
    internal_id: optional(Type.String()),
    namespace_id: optional(Type.String()),
    document_id: optional(Type.String()),
    collection_id: optional(Type.String()),
    created_at: optional(Type.String()),
    updated_at: optional(Type.String()),
    lineage: optional(Lineage),
    processing: optional(Processing),
    source_blobs: optional(Objects),
    document_blobs: optional(Objects),
    source_details: optional(Objects),
    modality: optional(Type.String()),
    metadata: optional(FreeObject),
    mime_type: optional(Type.String()),
    size_bytes: optional(Type.Integer()),
    content_hash: optional(Type.String()),
  },
  { $id: 'InternalPayloadModel', additionalProperties: true },
)

/** The user's, passed and extracted fields stand beside these at the root. */
export const DocumentResponse = Type.Object(
  {
    document_id: Type.String(),
    collection_id: Type.String(),
    document_blobs: Type.Optional(Type.Array(BlobURLRef)),
    _internal: optional(Internal),
  },
  { $id: 'DocumentResponse', additionalProperties: true },
)
export type DocumentResponse = Static<typeof DocumentResponse>

export const GetDocumentQuery = Type.Object({
  return_presigned_urls: Defaulted(Type.Boolean(), false),
  /** The same under the name that lists have for it. */
  return_url: Defaulted(Type.Boolean(), false),
  return_vectors: optional(Type.Boolean()),
})
export type GetDocumentQuery = Static<typeof GetDocumentQuery>

export const ListDocumentsBody = Type.Object(
  {
    // An object in the contract; a bare list of conditions is understood too.
    filters: optional(Type.Unknown()),
    sort: optional(FreeObject),
    search: optional(Type.String()),
    cursor: optional(Type.String()),
    return_url: optional(Type.Boolean()),
    return_presigned_urls: optional(Type.Boolean()),
    return_vectors: optional(Type.Boolean()),
    group_by: optional(Type.String()),
    select: optional(Type.Array(Type.String())),
  },
  { $id: 'ListDocumentsRequest' },
)
export type ListDocumentsBody = Static<typeof ListDocumentsBody>

const DocumentGroup = Type.Object(
  { group_key: Type.Unknown(), documents: Type.Array(DocumentResponse), count: Type.Integer() },
  { $id: 'DocumentGroup' },
)
export type DocumentGroup = Static<typeof DocumentGroup>

export const ListDocumentsResponse = Type.Object(
  {
    results: optional(Type.Array(DocumentResponse)),
    groups: optional(Type.Array(DocumentGroup)),
    pagination: Pagination,
    stats: Type.Object(
      {
        total_documents: Type.Integer(),
        avg_blobs_per_document: Type.Number(),
        total_groups: optional(Type.Integer()),
        avg_documents_per_group: optional(Type.Number()),
      },
      { $id: 'DocumentListStats' },
    ),
    group_by_field: optional(Type.String()),
  },
  { $id: 'ListDocumentsResponse' },
)
export type ListDocumentsResponse = Static<typeof ListDocumentsResponse>

const Feature = Type.Object(
  {
    feature_extractor_id: Type.Optional(Type.String()),
    payload: Type.Optional(FreeObject),
    /** A list of numbers, or lists by feature. */
    vectors: optional(Type.Unknown()),
  },
  { $id: 'FeatureModel', additionalProperties: true },
)

/** Everything beside these members is a field of the document. */
export const CreateDocumentBody = Type.Object(
  {
    collection_id: optional(Type.String()),
    document_id: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,128}$' })),
    root_object_id: optional(Type.String()),
    root_bucket_id: optional(Type.String()),
    source_type: optional(Type.Enum(['bucket', 'collection'])),
    source_collection_id: optional(Type.String()),
    source_document_id: optional(Type.String()),
    source_object_id: optional(Type.String()),
    lineage_path: optional(Type.String()),
    lineage_chain: Type.Optional(Objects),
    document_schema_version: optional(Type.String()),
    metadata: Type.Optional(FreeObject),
    features: Type.Optional(Type.Array(Feature)),
  },
  { $id: 'DocumentCreateRequest', additionalProperties: true },
)
export type CreateDocumentBody = Static<typeof CreateDocumentBody>

/** Fields of the document, and members of `_internal` that may change. */
export const EditDocumentBody = Type.Object({}, { additionalProperties: true })
