import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, ListMembers, optional, Timestamp } from '../../core/schema.ts'
import { TaskStatusEnum } from '../../core/task-status.ts'

const Description = Type.String({ maxLength: 16_384 })

/** `marketplace` is a word of the contract; such a namespace acts as a standard one. */
export const NamespaceType = Type.Enum(['standard', 'marketplace'], { $id: 'NamespaceType' })

export const NamespaceExtractorInput = Type.Object(
  {
    feature_extractor_name: Type.String({ minLength: 1 }),
    version: Type.String({ minLength: 1 }),
    params: optional(FreeObject),
  },
  { $id: 'BaseFeatureExtractorModel-Input' },
)
export type NamespaceExtractorInput = Static<typeof NamespaceExtractorInput>

const NamespaceExtractor = Type.Object(
  { ...NamespaceExtractorInput.properties, feature_extractor_id: Type.String() },
  { $id: 'BaseFeatureExtractorModel-Output' },
)

/** Payload indexes of one namespace, without the built-in ones. */
export const INDEXES_MAX = 1000

export const PayloadIndex = Type.Object(
  {
    field_name: Type.String({ minLength: 1, maxLength: 255 }),
    type: Type.Enum(['keyword', 'integer', 'float', 'bool', 'geo', 'datetime', 'text', 'uuid']),
    field_schema: optional(FreeObject),
    is_protected: Defaulted(Type.Boolean(), false),
  },
  { $id: 'PayloadIndexConfig' },
)
export type PayloadIndex = Static<typeof PayloadIndex>

/** Kept and shown without keys; nothing connects to it. */
export const NamespaceInfrastructure = Type.Object(
  {
    ray_cluster_id: optional(Type.String({ pattern: '^ray_[a-zA-Z0-9_]{3,64}$' })),
    ray_head_node_url: optional(Type.String()),
    ray_dashboard_url: optional(Type.String()),
    qdrant_url: optional(Type.String()),
    qdrant_api_key: optional(Type.String()),
    qdrant_collection: Type.String({ minLength: 3, maxLength: 128 }),
    compute_tier: Defaulted(Type.Enum(['shared', 'dedicated_cpu', 'dedicated_gpu']), 'shared'),
    max_concurrent_jobs: Defaulted(Type.Integer({ minimum: 1, maximum: 1000 }), 10),
    autoscaling_enabled: Defaulted(Type.Boolean(), true),
    min_workers: Defaulted(Type.Integer({ minimum: 0, maximum: 100 }), 1),
    max_workers: Defaulted(Type.Integer({ minimum: 1, maximum: 100 }), 10),
    gpu_type: optional(Type.String()),
    gpus_per_worker: Defaulted(Type.Integer({ minimum: 0, maximum: 8 }), 1),
    s3_plugin_bucket: Defaulted(Type.String(), 'mixpeek-plugins'),
    s3_plugin_prefix: optional(Type.String()),
    max_custom_plugins: Defaulted(Type.Integer({ minimum: 0, maximum: 100 }), 0),
    max_custom_models: Defaulted(Type.Integer({ minimum: 0, maximum: 50 }), 0),
  },
  { $id: 'NamespaceInfrastructure' },
)
export type NamespaceInfrastructure = Static<typeof NamespaceInfrastructure>

export const NamespaceModel = Type.Object(
  {
    namespace_id: Type.String(),
    namespace_name: Type.String(),
    namespace_type: NamespaceType,
    /** A cluster of the hosted service: never set here. */
    cluster_id: optional(Type.String()),
    infrastructure: optional(NamespaceInfrastructure),
    description: optional(Type.String()),
    feature_extractors: Type.Array(NamespaceExtractor),
    payload_indexes: Type.Array(PayloadIndex),
    document_count: Type.Integer(),
    bucket_count: Type.Integer(),
    collection_count: Type.Integer(),
    object_count: Type.Integer(),
    auto_create_indexes: Type.Boolean(),
    vector_inference_map: Type.Record(Type.String(), Type.String()),
    /** Ours: IN_PROGRESS while the namespace is being deleted. */
    status: TaskStatusEnum,
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'NamespaceModel' },
)
export type NamespaceModel = Static<typeof NamespaceModel>

export const CreateNamespaceBody = Type.Object(
  {
    namespace_name: Type.String(),
    namespace_type: Defaulted(NamespaceType, 'standard'),
    description: optional(Description),
    feature_extractors: Type.Array(NamespaceExtractorInput, { minItems: 1, maxItems: 100 }),
    payload_indexes: optional(Type.Array(PayloadIndex, { maxItems: INDEXES_MAX })),
    auto_create_indexes: Defaulted(Type.Boolean(), false),
    infrastructure: optional(NamespaceInfrastructure),
  },
  { $id: 'CreateNamespaceRequest' },
)
export type CreateNamespaceBody = Static<typeof CreateNamespaceBody>

export const UpdateNamespaceBody = Type.Object(
  {
    namespace_name: optional(Type.String()),
    payload_indexes: optional(Type.Array(PayloadIndex, { maxItems: INDEXES_MAX })),
  },
  { $id: 'UpdateNamespaceRequest' },
)
export type UpdateNamespaceBody = Static<typeof UpdateNamespaceBody>

export const PatchNamespaceBody = Type.Object(
  {
    ...UpdateNamespaceBody.properties,
    description: optional(Description),
    feature_extractors: optional(Type.Array(NamespaceExtractorInput, { maxItems: 100 })),
    auto_create_indexes: optional(Type.Boolean()),
    infrastructure: optional(NamespaceInfrastructure),
  },
  { $id: 'PatchNamespaceRequest' },
)
export type PatchNamespaceBody = Static<typeof PatchNamespaceBody>

export const ListNamespacesBody = Type.Object({ ...ListMembers }, { $id: 'ListNamespacesRequest' })
export type ListNamespacesBody = Static<typeof ListNamespacesBody>

const COUNTED = [
  'feature_extractors',
  'payload_indexes',
  'documents',
  'buckets',
  'collections',
  'objects',
] as const
export type CountedInNamespace = (typeof COUNTED)[number]

const members = <T extends Type.TSchema, K extends string>(names: readonly K[], schema: T) =>
  Object.fromEntries(names.map((name) => [name, schema])) as Record<K, T>

export const ListNamespacesResponse = Type.Object(
  {
    results: Type.Array(NamespaceModel),
    pagination: Pagination,
    total_count: Type.Integer(),
    stats: Type.Object(
      {
        ...members(
          COUNTED.map((name) => `total_${name}` as const),
          Type.Integer(),
        ),
        ...members(
          COUNTED.map((name) => `avg_${name}_per_namespace` as const),
          Type.Number(),
        ),
      },
      { $id: 'NamespaceListStats' },
    ),
  },
  { $id: 'ListNamespacesResponse' },
)
export type ListNamespacesResponse = Static<typeof ListNamespacesResponse>

export const CloneNamespaceBody = Type.Object(
  {
    namespace_name: Type.String({ minLength: 1 }),
    description: optional(Description),
    include_resources: optional(
      Type.Object(
        {
          collections: Defaulted(Type.Boolean(), true),
          retrievers: Defaulted(Type.Boolean(), true),
          taxonomies: Defaulted(Type.Boolean(), false),
        },
        { $id: 'CloneNamespaceResourcesConfig' },
      ),
    ),
    source_organization_id: optional(Type.String()),
  },
  { $id: 'CloneNamespaceRequest' },
)
export type CloneNamespaceBody = Static<typeof CloneNamespaceBody>

const ClonedResourceSummary = Type.Object(
  members(
    ['collections', 'retrievers', 'taxonomies', 'buckets', 'objects', 'points'],
    Defaulted(Type.Integer(), 0),
  ),
  { $id: 'ClonedResourceSummary' },
)

export const CloneNamespaceResponse = Type.Object(
  {
    namespace: NamespaceModel,
    source_namespace_id: Type.String(),
    status: Defaulted(Type.String(), 'cloning'),
    task_id: optional(Type.String()),
    /** Known when the task has ended; then it is among the outputs of the task. */
    cloned_resources: optional(ClonedResourceSummary),
  },
  { $id: 'CloneNamespaceResponse' },
)
export type CloneNamespaceResponse = Static<typeof CloneNamespaceResponse>

export const DeleteNamespaceResponse = Type.Object({
  task_id: Type.String(),
  status: TaskStatusEnum,
  namespace_id: Type.String(),
  namespace_name: Type.String(),
})
export type DeleteNamespaceResponse = Static<typeof DeleteNamespaceResponse>

export const UnifiedExtractor = Type.Object(
  {
    feature_extractor_name: Type.String(),
    version: Type.String(),
    feature_extractor_id: Type.String(),
    source: Type.Enum(['builtin', 'custom', 'community']),
    description: Type.String(),
    icon: Type.String(),
    input_schema: FreeObject,
    output_schema: FreeObject,
    parameter_schema: optional(FreeObject),
    supported_input_types: Type.Array(Type.String()),
    max_inputs: Type.Record(Type.String(), Type.Integer()),
    default_parameters: FreeObject,
    costs: optional(FreeObject),
    required_vector_indexes: Type.Array(Type.Unknown()),
    required_payload_indexes: Type.Array(Type.Unknown()),
    position_fields: Type.Array(Type.String()),
    feature_uri: optional(Type.String()),
    /** What only uploaded plugins have. */
    plugin_id: optional(Type.String()),
    deployed: optional(Type.Boolean()),
    validation_status: optional(Type.Enum(['pending', 'passed', 'failed'])),
    created_at: optional(Timestamp),
    updated_at: optional(Timestamp),
    available: Type.Boolean(),
    missing_providers: Type.Array(Type.String()),
  },
  { $id: 'UnifiedExtractorResponse' },
)
export type UnifiedExtractor = Static<typeof UnifiedExtractor>

export const UnifiedExtractorList = Type.Object(
  {
    success: Type.Boolean(),
    extractors: Type.Array(UnifiedExtractor),
    total: Type.Integer(),
    namespace_id: Type.String(),
    builtin_count: Type.Integer(),
    custom_count: Type.Integer(),
  },
  { $id: 'UnifiedExtractorListResponse' },
)
export type UnifiedExtractorList = Static<typeof UnifiedExtractorList>
