import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { FreeObject, Nullable } from '../../core/schema.ts'
import { TaskStatusEnum } from '../../core/task-status.ts'

export const TaskType = Type.Enum(
  [
    'api_namespaces_create',
    'api_namespaces_delete',
    'api_namespaces_migrations_run',
    'api_buckets_objects_create',
    'api_buckets_delete',
    'api_buckets_batches_process',
    'api_buckets_batches_submit',
    'api_buckets_uploads_create',
    'api_buckets_uploads_confirm',
    'api_buckets_uploads_batch_confirm',
    'api_collections_documents_create',
    'api_collections_extraction_artifacts',
    'api_taxonomies_create',
    'api_taxonomies_execute',
    'api_taxonomies_materialize',
    'api_evaluations_run',
    'api_evaluations_dataset_create',
    'api_retrievers_publish',
    'api_collections_export',
    'api_collections_trigger',
    'engine_feature_extractor_run',
    'engine_inference_run',
    'engine_object_processing',
    'engine_cluster_build',
    'thumbnail',
    'video_segment',
    'audio_segment',
    'materialize',
    'plugin_custom',
    'model_custom',
  ],
  { $id: 'TaskType' },
)
export type TaskType = Static<typeof TaskType>

const Items = Type.Array(Type.Union([Type.String(), FreeObject]))

/** `error_message` repeats `error`: published pollers read it. */
export const TaskResponse = Type.Object(
  {
    task_id: Type.String(),
    task_type: TaskType,
    status: TaskStatusEnum,
    inputs: Type.Optional(Nullable(Items)),
    outputs: Type.Optional(Nullable(Items)),
    additional_data: Type.Optional(Nullable(FreeObject)),
    error: Type.Optional(Nullable(Type.String())),
    error_message: Type.Optional(Nullable(Type.String())),
  },
  { $id: 'TaskResponse' },
)
export type TaskResponse = Static<typeof TaskResponse>

export const ListTasksBody = Type.Object(
  {
    status: Type.Optional(Nullable(TaskStatusEnum)),
    task_type: Type.Optional(Nullable(TaskType)),
    filters: Type.Optional(Nullable(FreeObject)),
    sort: Type.Optional(Nullable(FreeObject)),
    search: Type.Optional(Nullable(Type.String())),
  },
  { $id: 'ListTasksRequest' },
)
export type ListTasksBody = Static<typeof ListTasksBody>

export const ListTasksResponse = Type.Object(
  { results: Type.Array(TaskResponse), pagination: Pagination },
  { $id: 'ListTasksResponse' },
)
export type ListTasksResponse = Static<typeof ListTasksResponse>
