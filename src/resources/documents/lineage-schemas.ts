import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, Nullable, Timestamp } from '../../core/schema.ts'
import { DocumentResponse } from './schemas.ts'

const Step = Type.Object({
  step: Type.Integer(),
  type: Type.Enum(['object', 'document']),
  bucket_id: Type.Optional(Type.String()),
  object_id: Type.Optional(Type.String()),
  key_prefix: Type.Optional(Type.String()),
  collection_id: Type.Optional(Type.String()),
  collection_name: Type.Optional(Type.String()),
  feature_extractor_id: Type.Optional(Type.String()),
  document_id: Type.Optional(Type.String()),
  timestamp: Type.Optional(Timestamp),
  /** True when the object or document is gone. */
  missing: Type.Optional(Type.Boolean()),
})

export const DocumentLineage = Type.Object({
  document_id: Type.String(),
  collection_id: Type.String(),
  root_object_id: Type.Optional(Type.String()),
  root_bucket_id: Type.Optional(Type.String()),
  source_type: Type.Optional(Type.Enum(['bucket', 'collection'])),
  lineage_path: Type.Optional(Type.String()),
  processing_tier: Type.Optional(Type.Integer()),
  chain: Type.Array(Step),
  parents: Type.Array(Step),
  children_count: Type.Integer(),
})
export type DocumentLineage = Static<typeof DocumentLineage>

export const ObjectDocumentsQuery = Type.Object({
  /** Given once it arrives as text, given several times as a list. */
  collection_ids: Type.Optional(Nullable(Type.Union([Type.Array(Type.String()), Type.String()]))),
  return_presigned_urls: Defaulted(Type.Boolean(), false),
})
export type ObjectDocumentsQuery = Static<typeof ObjectDocumentsQuery>

export const ObjectDocuments = Type.Object({
  object_id: Type.String(),
  total_documents: Type.Integer(),
  collections: Type.Array(
    Type.Object({
      collection_id: Type.String(),
      collection_name: Type.Optional(Type.String()),
      document_count: Type.Integer(),
    }),
  ),
  documents: Type.Array(DocumentResponse),
  pagination: Pagination,
})
export type ObjectDocuments = Static<typeof ObjectDocuments>

export const DecompositionTree = Type.Object({
  object_id: Type.String(),
  bucket_id: Type.Optional(Type.String()),
  total_documents: Type.Integer(),
  max_tier: Type.Integer(),
  /** A bucket with its collections as `children`, at any depth. */
  tree: FreeObject,
})
export type DecompositionTree = Static<typeof DecompositionTree>
