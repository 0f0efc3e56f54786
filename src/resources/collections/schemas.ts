import Type, { type Static } from 'typebox'
import { BucketSchema, FIELD_TYPES } from '../../core/bucket-schema.ts'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, ListMembers, optional, Timestamp } from '../../core/schema.ts'

/** `taxonomy` and `cluster` are words of the contract that no collection can be created from. */
export const SourceConfig = Type.Object(
  {
    type: Type.Enum(['bucket', 'collection', 'taxonomy', 'cluster']),
    bucket_ids: optional(Type.Array(Type.String(), { minItems: 1 })),
    collection_id: optional(Type.String()),
    collection_ids: optional(Type.Array(Type.String(), { minItems: 1 })),
    inherited_bucket_ids: optional(Type.Array(Type.String())),
    source_filters: optional(FreeObject),
    source_namespace_id: optional(Type.String()),
    /** In responses, when there is just one bucket. */
    bucket_id: optional(Type.String()),
  },
  { $id: 'SourceConfig' },
)
export type SourceConfig = Static<typeof SourceConfig>

const InputMapping = Type.Object(
  {
    input_key: Type.String(),
    source_type: optional(Type.Enum(['payload', 'literal', 'vector'])),
    path: optional(Type.String()),
    override: optional(Type.Unknown()),
  },
  { $id: 'InputMapping' },
)

const FieldPassthrough = Type.Object(
  {
    source_path: Type.String({ minLength: 1 }),
    target_path: optional(Type.String()),
    default: optional(Type.Unknown()),
    required: Defaulted(Type.Boolean(), false),
  },
  { $id: 'FieldPassthrough' },
)

const extractorMembers = {
  feature_extractor_name: Type.String({ minLength: 1 }),
  params: optional(FreeObject),
  parameters: optional(FreeObject),
  input_mappings: Type.Optional(
    Type.Union([Type.Record(Type.String(), Type.String()), Type.Array(InputMapping)]),
  ),
  field_passthrough: Type.Optional(Type.Array(FieldPassthrough)),
  include_all_source_fields: Defaulted(Type.Boolean(), false),
}
export const FeatureExtractorInput = Type.Object(
  { ...extractorMembers, version: Type.Optional(Type.String()) },
  { $id: 'FeatureExtractorConfigInput' },
)
export type FeatureExtractorInput = Static<typeof FeatureExtractorInput>

export const FeatureExtractorOutput = Type.Object(
  { ...extractorMembers, version: Type.String(), feature_extractor_id: Type.String() },
  { $id: 'FeatureExtractorConfig' },
)
export type FeatureExtractorOutput = Static<typeof FeatureExtractorOutput>

const Schedule = Type.Object(
  {
    trigger_type: Type.String(),
    schedule_config: FreeObject,
    description: optional(Type.String()),
  },
  { $id: 'CollectionScheduleConfig' },
)

const attachments = {
  schedule: optional(Schedule),
  taxonomy_applications: optional(Type.Array(FreeObject)),
  cluster_applications: optional(Type.Array(FreeObject)),
  alert_applications: optional(Type.Array(FreeObject)),
  retriever_enrichments: optional(Type.Array(FreeObject)),
}

export const CollectionName = Type.String({ minLength: 3, maxLength: 100 })

export const CreateCollectionBody = Type.Object(
  {
    collection_name: CollectionName,
    description: optional(Type.String()),
    source: SourceConfig,
    input_schema: optional(BucketSchema),
    feature_extractor: FeatureExtractorInput,
    enabled: Defaulted(Type.Boolean(), true),
    metadata: optional(FreeObject),
    ...attachments,
  },
  { $id: 'CreateCollectionRequest' },
)
export type CreateCollectionBody = Static<typeof CreateCollectionBody>

/** Members that can change, and those that may only be repeated as they are. */
export const UpdateCollectionBody = Type.Object({
  collection_name: Type.Optional(CollectionName),
  description: optional(Type.String()),
  metadata: optional(FreeObject),
  enabled: Type.Optional(Type.Boolean()),
  schema_sync_enabled: Type.Optional(Type.Boolean()),
  source: optional(FreeObject),
  feature_extractor: optional(FreeObject),
  input_schema: optional(FreeObject),
  ...attachments,
})
export type UpdateCollectionBody = Static<typeof UpdateCollectionBody>

const LineageEntry = Type.Object(
  { source_config: SourceConfig, feature_extractor: FeatureExtractorOutput, output_schema: BucketSchema },
  { $id: 'SingleLineageEntry' },
)

export const CollectionResponse = Type.Object(
  {
    collection_id: Type.String(),
    collection_name: CollectionName,
    description: optional(Type.String()),
    input_schema: BucketSchema,
    output_schema: BucketSchema,
    feature_extractor: FeatureExtractorOutput,
    source: SourceConfig,
    source_bucket_schemas: optional(Type.Record(Type.String(), BucketSchema)),
    source_lineage: Type.Array(LineageEntry),
    vector_indexes: Type.Array(Type.Unknown()),
    payload_indexes: Type.Array(Type.Unknown()),
    enabled: Type.Boolean(),
    metadata: optional(FreeObject),
    trigger_id: optional(Type.String()),
    created_at: Timestamp,
    updated_at: Timestamp,
    document_count: Type.Integer(),
    schema_version: Type.Integer(),
    last_schema_sync: optional(Timestamp),
    schema_sync_enabled: Type.Boolean(),
    ...attachments,
    taxonomy_count: Type.Integer(),
    retriever_count: Type.Integer(),
  },
  { $id: 'CollectionResponse' },
)
export type CollectionResponse = Static<typeof CollectionResponse>

export const ListCollectionsBody = Type.Object({ ...ListMembers }, { $id: 'ListCollectionsRequest' })
export type ListCollectionsBody = Static<typeof ListCollectionsBody>

export const ListCollectionsResponse = Type.Object(
  {
    results: Type.Array(CollectionResponse),
    pagination: Pagination,
    total_count: Type.Integer(),
    stats: Type.Object(
      {
        total_documents: Type.Integer(),
        avg_documents_per_collection: Type.Number(),
        collections_with_taxonomies: Type.Integer(),
        total_feature_extractors: Type.Integer(),
        total_taxonomies: Type.Integer(),
        total_retrievers: Type.Integer(),
      },
      { $id: 'CollectionListStats' },
    ),
  },
  { $id: 'ListCollectionsResponse' },
)
export type ListCollectionsResponse = Static<typeof ListCollectionsResponse>

export const DeleteCollectionResponse = Type.Object({
  message: Type.String(),
  success: Type.Boolean(),
  collection_id: Type.String(),
  deleted_documents: Type.Integer(),
  task_id: Type.Optional(Type.String()),
})
export type DeleteCollectionResponse = Static<typeof DeleteCollectionResponse>

export const VectorIndex = Type.Object(
  {
    name: Type.String(),
    description: Type.String({ minLength: 10 }),
    dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
    type: Type.Enum(['dense', 'sparse', 'multi_dense']),
    distance: Type.String(),
    datatype: Type.Enum(['float32', 'uint8']),
    on_disk: optional(Type.Boolean()),
    supported_inputs: Type.Array(Type.Enum([...FIELD_TYPES])),
    inference_name: optional(Type.String()),
    inference_service_id: optional(Type.String()),
    purpose: optional(Type.Enum(['text', 'code', 'image', 'multimodal', 'video', 'audio', 'sparse'])),
    vector_name_override: optional(Type.String()),
  },
  { $id: 'VectorIndex' },
)

export const CollectionFeatures = Type.Object(
  {
    features: Type.Array(
      Type.Object(
        {
          feature_address: Type.String(),
          feature_extractor_name: Type.String(),
          version: Type.String(),
          vector_index: VectorIndex,
          primary: Type.Boolean(),
        },
        { $id: 'CollectionFeatureDescriptor' },
      ),
    ),
  },
  { $id: 'DescribeCollectionFeaturesResponse' },
)
export type CollectionFeatures = Static<typeof CollectionFeatures>
