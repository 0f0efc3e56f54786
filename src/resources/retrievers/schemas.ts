import Type, { type Static } from 'typebox'
import { FIELD_TYPES } from '../../core/bucket-schema.ts'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, Nullable, Timestamp } from '../../core/schema.ts'

const optionalText = Type.Optional(Nullable(Type.String()))

export const StageConfig = Type.Object(
  {
    stage_name: Type.String({ minLength: 1 }),
    stage_type: Type.Optional(Nullable(Type.Enum(['filter', 'sort', 'reduce', 'apply', 'enrich']))),
    config: FreeObject,
    batch_size: optionalText,
    description: optionalText,
  },
  { $id: 'StageConfig' },
)

/** Nested fields are checked by the same rules when a retriever is saved; JSON Schema cannot refer to itself here. */
const InputField = Type.Object(
  {
    type: Type.Enum([...FIELD_TYPES, 'document_reference']),
    default: Type.Optional(Nullable(Type.Unknown())),
    items: Type.Optional(Nullable(FreeObject)),
    properties: Type.Optional(Nullable(FreeObject)),
    examples: Type.Optional(Nullable(Type.Array(Type.Unknown()))),
    description: optionalText,
    enum: Type.Optional(Nullable(Type.Array(Type.Unknown()))),
    required: Defaulted(Nullable(Type.Boolean()), false),
  },
  { additionalProperties: true },
)

const InputSchema = Type.Record(Type.String(), InputField)

const BudgetLimits = Type.Object({
  max_credits: Type.Optional(Nullable(Type.Number({ minimum: 0 }))),
  max_time_ms: Type.Optional(Nullable(Type.Integer({ minimum: 0 }))),
})

const Visibility = Type.Enum(['private', 'public', 'marketplace'])

/** Stages arrive in many spellings, so the schema asks for objects and the engine reads them. */
export const CreateRetrieverBody = Type.Object(
  {
    retriever_name: Type.String({ minLength: 1, maxLength: 255 }),
    description: optionalText,
    visibility: Defaulted(Visibility, 'private'),
    marketplace_listing_id: optionalText,
    requires_subscription: Defaulted(Type.Boolean(), false),
    collection_identifiers: Type.Optional(Type.Array(Type.String())),
    stages: Type.Array(FreeObject, { minItems: 1 }),
    input_schema: Type.Optional(InputSchema),
    budget_limits: Type.Optional(BudgetLimits),
    tags: Type.Optional(Type.Array(Type.String())),
    display_config: Type.Optional(Nullable(FreeObject)),
    cache_config: Type.Optional(Nullable(FreeObject)),
  },
  { $id: 'CreateRetrieverRequest' },
)
export type CreateRetrieverBody = Static<typeof CreateRetrieverBody>

export const Retriever = Type.Object(
  {
    retriever_id: Type.String(),
    retriever_name: Type.String(),
    description: optionalText,
    collection_ids: Type.Array(Type.String()),
    collection_identifiers: Type.Array(Type.String()),
    stages: Type.Array(StageConfig),
    input_schema: Type.Record(Type.String(), FreeObject),
    budget_limits: BudgetLimits,
    feature_dependencies: Type.Optional(
      Nullable(
        Type.Array(
          Type.Object({
            scheme: Type.String(),
            extractor: Type.String(),
            version: Type.String(),
            output: optionalText,
          }),
        ),
      ),
    ),
    tags: Type.Array(Type.String()),
    display_config: Type.Optional(Nullable(FreeObject)),
    cache_config: Type.Optional(Nullable(FreeObject)),
    visibility: Visibility,
    version: Type.Integer({ minimum: 1 }),
    created_at: Timestamp,
    updated_at: Timestamp,
    created_by: optionalText,
    updated_by: optionalText,
    is_published: Type.Boolean(),
    marketplace_listing_id: optionalText,
  },
  { $id: 'RetrieverModel-Output' },
)
export type Retriever = Static<typeof Retriever>

/** Clients read the id in either place (contract, create). */
export const CreateRetrieverResponse = Type.Object(
  { retriever: Retriever, retriever_id: Type.String(), retriever_name: Type.String() },
  { $id: 'CreateRetrieverResponse' },
)

export const ListRetrieversBody = Type.Object(
  {
    search: optionalText,
    filters: Type.Optional(Nullable(Type.Unknown())),
    sorts: Type.Optional(Nullable(Type.Array(FreeObject))),
    sort: Type.Optional(Nullable(Type.Unknown())),
    case_sensitive: Defaulted(Type.Boolean(), false),
  },
  { $id: 'ListRetrieversRequest' },
)
export type ListRetrieversBody = Static<typeof ListRetrieversBody>

export const ListRetrieversResponse = Type.Object(
  {
    results: Type.Array(Retriever),
    total: Type.Integer(),
    total_count: Type.Integer(),
    pagination: Pagination,
  },
  { $id: 'ListRetrieversResponse' },
)
export type ListRetrieversResponse = Static<typeof ListRetrieversResponse>

/** Extras that clients and guides send are read beside the declared members (contract, execute). */
export const ExecuteBody = Type.Object(
  {
    inputs: Type.Optional(Nullable(FreeObject)),
    pagination: Type.Optional(Nullable(FreeObject)),
    stream: Defaulted(Type.Boolean(), false),
    filters: Type.Optional(Nullable(Type.Unknown())),
    select: Type.Optional(Nullable(Type.Array(Type.String()))),
    return_presigned_urls: Type.Optional(Nullable(Type.Boolean())),
    return_urls: Type.Optional(Nullable(Type.Boolean())),
    return_vectors: Type.Optional(Nullable(Type.Boolean())),
  },
  { $id: 'ExecuteRetrieverRequest' },
)
export type ExecuteBody = Static<typeof ExecuteBody>

export const AdhocExecuteBody = Type.Object(
  {
    ...ExecuteBody.properties,
    collection_identifiers: Type.Optional(Type.Array(Type.String())),
    input_schema: Type.Optional(InputSchema),
    stages: Type.Array(FreeObject, { minItems: 1 }),
    budget_limits: Type.Optional(Nullable(BudgetLimits)),
  },
  { $id: 'AdhocExecuteRequest' },
)
export type AdhocExecuteBody = Static<typeof AdhocExecuteBody>

export const ExecuteQuery = Type.Object({
  return_presigned_urls: Type.Optional(Type.Boolean()),
  return_vectors: Type.Optional(Type.Boolean()),
  stream: Type.Optional(Type.Boolean()),
})
export type ExecuteQuery = Static<typeof ExecuteQuery>

const StageStatistics = Type.Object({
  input_count: Type.Integer(),
  output_count: Type.Integer(),
  duration_ms: Type.Number(),
  efficiency: Type.Number(),
  cache_hit: Type.Boolean(),
  error: Nullable(Type.String()),
  metadata: FreeObject,
})

export const ResultDocument = Type.Object(
  { document_id: Type.String(), collection_id: Nullable(Type.String()), score: Type.Number() },
  { additionalProperties: true },
)
export type ResultDocument = Static<typeof ResultDocument> & Record<string, unknown>

export const ExecuteResponse = Type.Object({
  execution_id: Type.String(),
  status: Type.Enum(['completed', 'failed']),
  documents: Type.Array(ResultDocument),
  results: Type.Array(ResultDocument),
  total_count: Type.Integer(),
  pagination: Type.Object({ method: Type.String() }, { additionalProperties: true }),
  stage_statistics: Type.Object({
    stages: Type.Record(Type.String(), StageStatistics),
    total_time_ms: Type.Number(),
    credits_used: Type.Number(),
  }),
  budget: FreeObject,
  error: Nullable(Type.String()),
  optimization_applied: Type.Boolean(),
  optimization_summary: Nullable(FreeObject),
  execution_metadata: Type.Object({ retriever_persisted: Type.Boolean() }),
  metadata: Type.Object({ total: Type.Integer(), took_ms: Type.Number() }),
  scroll_id: optionalText,
  next_cursor: Type.Optional(Type.Unknown()),
})
export type ExecuteResponse = Static<typeof ExecuteResponse>

export const StageCatalogue = Type.Array(
  Type.Object({
    stage_id: Type.String(),
    description: Type.String(),
    category: Type.String(),
    icon: Type.String(),
    parameter_schema: FreeObject,
    available: Type.Boolean(),
  }),
)
