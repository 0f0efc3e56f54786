import Type, { type Static } from 'typebox'
import { Defaulted, FreeObject, ListMembers, optional, Timestamp } from '../../core/schema.ts'
import { TaskStatusEnum } from '../../core/task-status.ts'

const Count = Type.Integer({ minimum: 0 })

export const ErrorCategory = Type.Enum(
  ['dependency', 'authentication', 'validation', 'runtime', 'network', 'resource'],
  { $id: 'ErrorCategory' },
)

/** Members of the contract that stand for parts of its hosted service; declared, never sent. */
const HOSTED_JOB = { ray_job_id: optional(Type.String()), celery_task_id: optional(Type.String()) }

/** Equal errors of a tier, with some of those they hit. */
export const BatchErrorDetail = Type.Object(
  {
    error_type: ErrorCategory,
    message: Type.String(),
    component: optional(Type.String()),
    stage: optional(Type.String()),
    timestamp: Type.Optional(Timestamp),
    affected_document_ids: Type.Optional(Type.Array(Type.String())),
    affected_count: Type.Integer({ minimum: 1 }),
    recovery_suggestion: optional(Type.String()),
    traceback: optional(Type.String()),
    metadata: Type.Optional(FreeObject),
  },
  { $id: 'BatchErrorDetail' },
)
export type BatchErrorDetail = Static<typeof BatchErrorDetail>

export const ExtractorJobInfo = Type.Object(
  {
    extractor_type: Type.String(),
    collection_ids: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    status: TaskStatusEnum,
    started_at: optional(Timestamp),
    completed_at: optional(Timestamp),
    duration_ms: optional(Type.Number()),
    documents_written: optional(Count),
    errors: Type.Optional(Type.Array(BatchErrorDetail)),
    error: optional(Type.String()),
    ...HOSTED_JOB,
  },
  { $id: 'ExtractorJobInfo' },
)
export type ExtractorJobInfo = Static<typeof ExtractorJobInfo>

export const TierTaskInfo = Type.Object(
  {
    tier_num: Count,
    task_id: optional(Type.String()),
    status: TaskStatusEnum,
    collection_ids: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    extractor_jobs: Type.Optional(Type.Array(ExtractorJobInfo)),
    source_type: Type.String(),
    source_collection_ids: optional(Type.Array(Type.String())),
    parent_task_id: optional(Type.String()),
    started_at: optional(Timestamp),
    completed_at: optional(Timestamp),
    duration_ms: optional(Type.Number()),
    errors: Type.Optional(Type.Array(BatchErrorDetail)),
    error_summary: optional(Type.Record(Type.String(), Type.Integer())),
    source_documents_fetched: optional(Count),
    documents_after_source_filter: optional(Count),
    documents_missing_input_fields: optional(Count),
    documents_submitted_to_engine: optional(Count),
    documents_written: optional(Count),
    performance: optional(FreeObject),
    ...HOSTED_JOB,
  },
  { $id: 'TierTaskInfo' },
)
export type TierTaskInfo = Static<typeof TierTaskInfo>

/** Among all jobs that wait, those of the highest priority run first. */
const Priority = Type.Integer({ minimum: -10, maximum: 10 })

/** `object_count` and `priority` are ours; `object_ids` of a very large batch is cut. */
export const BatchModel = Type.Object(
  {
    batch_id: Type.String(),
    bucket_id: Type.String(),
    status: TaskStatusEnum,
    object_ids: Type.Array(Type.String()),
    object_count: Count,
    priority: Priority,
    collection_ids: optional(Type.Array(Type.String())),
    error: optional(Type.String()),
    error_summary: optional(Type.Record(Type.String(), Type.Integer())),
    type: Type.Enum(['BUCKET', 'COLLECTION'], { $id: 'BatchType' }),
    task_id: optional(Type.String()),
    internal_metadata: optional(FreeObject),
    metadata: FreeObject,
    tier_tasks: Type.Array(TierTaskInfo),
    current_tier: optional(Count),
    total_tiers: Type.Integer({ minimum: 1 }),
    dag_tiers: optional(Type.Array(Type.Array(Type.String()))),
    manifest_key: optional(Type.String()),
    loaded_object_ids: optional(Type.Array(Type.String())),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'BatchModel' },
)
export type BatchModel = Static<typeof BatchModel>

const ObjectIds = Type.Array(Type.String(), { minItems: 1 })

export const CreateBatchBody = Type.Object(
  { object_ids: ObjectIds, metadata: optional(FreeObject) },
  { $id: 'CreateBatchRequest' },
)
export type CreateBatchBody = Static<typeof CreateBatchBody>

export const AddObjectsBody = Type.Object({ object_ids: ObjectIds }, { $id: 'AddObjectsToBatchRequest' })

export const SubmitBatchBody = Type.Object(
  { include_processing_history: Defaulted(Type.Boolean(), true), priority: optional(Priority) },
  { $id: 'SubmitBatchRequest' },
)
export type SubmitBatchBody = Static<typeof SubmitBatchBody>

export const PatchBatchBody = Type.Object(
  { metadata: optional(FreeObject), priority: optional(Priority) },
  { $id: 'PatchBatchRequest' },
)
export type PatchBatchBody = Static<typeof PatchBatchBody>

/** Paging is read by the route, from body or query; it is declared here for generated clients. */
export const ListBatchesBody = Type.Object(
  {
    ...ListMembers,
    status: optional(TaskStatusEnum),
    offset: optional(Type.Integer({ minimum: 0 })),
    limit: optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  },
  { $id: 'ListBatchesRequest' },
)
export type ListBatchesBody = Static<typeof ListBatchesBody>

export const ListBatchesResponse = Type.Object(
  { results: Type.Array(BatchModel), total_count: Count },
  { $id: 'ListBatchesResponse' },
)
export type ListBatchesResponse = Static<typeof ListBatchesResponse>

export const RetryBatchBody = Type.Object(
  {
    retry_mode: Defaulted(Type.Enum(['transient_only', 'all']), 'transient_only'),
    tier_nums: optional(Type.Array(Type.Integer())),
    max_retry_count: Defaulted(Type.Integer({ minimum: 1, maximum: 10 }), 3),
  },
  { $id: 'RetryBatchRequest' },
)
export type RetryBatchBody = Static<typeof RetryBatchBody>

export const RetryBatchResponse = Type.Object({
  batch_id: Type.String(),
  status: TaskStatusEnum,
  task_id: optional(Type.String()),
  retried_count: Count,
  skipped_count: Count,
  message: Type.String(),
})
export type RetryBatchResponse = Static<typeof RetryBatchResponse>

export const BatchLogsResponse = Type.Object({
  batch_id: Type.String(),
  tiers: Type.Array(
    Type.Object({
      tier_num: Count,
      task_id: optional(Type.String()),
      status: TaskStatusEnum,
      logs: Type.String(),
    }),
  ),
})
export type BatchLogsResponse = Static<typeof BatchLogsResponse>

export const BatchHealth = Type.Object({
  batch_id: Type.String(),
  health_status: Type.Enum(['HEALTHY', 'DEGRADED', 'STALLED', 'FAILED']),
  total_documents: Count,
  processed_documents: Count,
  enriched_documents: Count,
  vector_populated_count: Count,
  missing_features: Type.Array(Type.String()),
  stall_duration_seconds: Type.Number({ minimum: 0 }),
  recommendations: Type.Array(Type.String()),
  timestamp: Timestamp,
})
export type BatchHealth = Static<typeof BatchHealth>

/** Vectors commit with their documents, so there is never one left to write. */
export const RetryVectorWriteResponse = Type.Object({
  batch_id: Type.String(),
  tier_num: Count,
  status: TaskStatusEnum,
  documents_written: Count,
  message: Type.String(),
})
export type RetryVectorWriteResponse = Static<typeof RetryVectorWriteResponse>

/** `error` repeats `message` and `last_retry_at` tells of retries: both spellings of the contract. */
export const FailedDocument = Type.Object({
  failure_id: Type.String(),
  object_id: optional(Type.String()),
  document_id: optional(Type.String()),
  collection_id: Type.String(),
  tier_num: Count,
  error_type: ErrorCategory,
  message: Type.String(),
  error: Type.String(),
  stage: Type.String(),
  component: Type.String(),
  recovery_suggestion: optional(Type.String()),
  is_transient: Type.Boolean(),
  retry_count: Count,
  failed_at: Timestamp,
  last_retry_at: optional(Timestamp),
})
export type FailedDocument = Static<typeof FailedDocument>

export const FailedDocumentsResponse = Type.Object({
  results: Type.Array(FailedDocument),
  total: Count,
  limit: Type.Integer(),
  offset: Type.Integer(),
})
export type FailedDocumentsResponse = Static<typeof FailedDocumentsResponse>
