import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, ListMembers, optional, Timestamp } from '../../core/schema.ts'
import { TaskStatusEnum } from '../../core/task-status.ts'
import { SchemaMapping, SyncSettings } from '../../engine/sync/settings.ts'

const Settings = SyncSettings.properties
const SyncMode = Type.Enum(['initial_only', 'continuous'])

export const CreateSyncBody = Type.Object(
  {
    connection_id: Type.String({ minLength: 1 }),
    source_path: Type.String({ maxLength: 4096 }),
    sync_mode: Defaulted(SyncMode, 'continuous'),
    ...Settings,
    // Checked as FileFilters by the service, so that the message names the member.
    file_filters: optional(FreeObject),
  },
  { $id: 'SyncCreateRequest' },
)
export type CreateSyncBody = Static<typeof CreateSyncBody>

export const UpdateSyncBody = Type.Object(
  {
    description: optional(Type.String({ maxLength: 1000 })),
    metadata: optional(FreeObject),
    status: optional(TaskStatusEnum),
    is_active: optional(Type.Boolean()),
    polling_interval_seconds: optional(Type.Integer({ minimum: 30, maximum: 900 })),
    batch_size: optional(Type.Integer({ minimum: 1, maximum: 100 })),
    schema_mapping: optional(SchemaMapping),
    skip_batch_submission: optional(Type.Boolean()),
    file_filters: optional(FreeObject),
    schedule: optional(Type.String({ minLength: 1, maxLength: 128 })),
    deletion_policy: optional(Type.Enum(['keep', 'delete'])),
    skip_duplicates: optional(Type.Boolean()),
    max_objects_per_run: optional(Type.Integer({ minimum: 1, maximum: 10_000_000 })),
    batch_chunk_size: optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  },
  { $id: 'SyncUpdateRequest' },
)
export type UpdateSyncBody = Static<typeof UpdateSyncBody>

const Count = Type.Integer({ minimum: 0 })

export const SyncConfiguration = Type.Object(
  {
    sync_config_id: Type.String(),
    bucket_id: Type.String(),
    connection_id: Type.String(),
    internal_id: Type.String(),
    namespace_id: Type.String(),
    source_path: Type.String(),
    description: optional(Type.String()),
    file_filters: optional(FreeObject),
    schema_mapping: optional(FreeObject),
    sync_mode: SyncMode,
    polling_interval_seconds: Type.Integer(),
    schedule: optional(Type.String()),
    deletion_policy: Type.String(),
    batch_size: Type.Integer(),
    create_object_on_confirm: Type.Boolean(),
    skip_duplicates: Type.Boolean(),
    skip_batch_submission: Type.Boolean(),
    status: TaskStatusEnum,
    is_active: Type.Boolean(),
    total_files_discovered: Count,
    total_files_synced: Count,
    total_files_failed: Count,
    total_bytes_synced: Count,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_sync_at: optional(Timestamp),
    next_sync_at: optional(Timestamp),
    created_by_user_id: Type.String(),
    last_error: optional(Type.String()),
    consecutive_failures: Count,
    metadata: FreeObject,
    // Leases of this server belong to jobs and last seconds; only when the run began is worth telling.
    locked_by_worker_id: optional(Type.String()),
    locked_at: optional(Timestamp),
    lock_expires_at: optional(Timestamp),
    paused: Type.Boolean(),
    pause_reason: optional(Type.String()),
    paused_at: optional(Timestamp),
    paused_by_user_id: optional(Type.String()),
    max_objects_per_run: Type.Integer(),
    max_batch_chunk_size: Type.Integer(),
    batch_chunk_size: Type.Integer(),
    current_sync_run_id: optional(Type.String()),
    sync_run_counter: Count,
    batch_ids: Type.Array(Type.String()),
    task_ids: Type.Array(Type.String()),
    batches_created: Count,
    resume_enabled: Type.Boolean(),
    resume_cursor: optional(Type.String()),
    resume_last_primary_key: optional(Type.String()),
    resume_objects_processed: Count,
    resume_checkpoint_frequency: Type.Integer(),
  },
  { $id: 'SyncConfigurationModel' },
)
export type SyncConfiguration = Static<typeof SyncConfiguration>

export const ListSyncsBody = Type.Object(
  {
    connection_id: optional(Type.String()),
    status: optional(TaskStatusEnum),
    is_active: optional(Type.Boolean()),
    ...ListMembers,
  },
  { $id: 'ListSyncConfigurationsRequest' },
)
export type ListSyncsBody = Static<typeof ListSyncsBody>

export const ListSyncsResponse = Type.Object(
  { results: Type.Array(SyncConfiguration), pagination: Pagination, total: Type.Integer() },
  { $id: 'SyncListResponse' },
)
export type ListSyncsResponse = Static<typeof ListSyncsResponse>

/** A parameter of the address or of the body, whichever is at hand. */
export const TriggerOptions = Type.Object({ dry_run: Defaulted(Type.Boolean(), false) })
export const TriggerResponse = Type.Object({
  sync_job_id: Type.String(),
  sync_config_id: Type.String(),
  task_id: Type.String(),
  status: Type.String(),
})

export const SyncRunModel = Type.Object(
  {
    sync_job_id: Type.String(),
    sync_config_id: Type.String(),
    run_number: Type.Integer(),
    started_by: Type.String(),
    dry_run: Type.Boolean(),
    status: TaskStatusEnum,
    task_id: Type.String(),
    counts: Type.Record(Type.String(), Type.Integer()),
    error: optional(Type.String()),
    batch_ids: Type.Array(Type.String()),
    report: optional(
      Type.Array(
        Type.Object({ path: Type.String(), action: Type.String(), reason: optional(Type.String()) }),
      ),
    ),
    created_at: Timestamp,
    started_at: optional(Timestamp),
    ended_at: optional(Timestamp),
  },
  { $id: 'SyncRun' },
)
export type SyncRunModel = Static<typeof SyncRunModel>

export const ListRunsResponse = Type.Object({
  results: Type.Array(SyncRunModel),
  pagination: Pagination,
  total: Type.Integer(),
})

export const ListFilesQuery = Type.Object({ state: optional(Type.Enum(['synced', 'failed'])) })

export const ListSyncFilesResponse = Type.Object({
  results: Type.Array(
    Type.Object({
      path: Type.String(),
      state: Type.String(),
      version: Type.String(),
      object_id: optional(Type.String()),
      error_code: optional(Type.String()),
      error: optional(Type.String()),
      size_bytes: Type.Integer(),
      run_number: Type.Integer(),
      updated_at: Timestamp,
    }),
  ),
  pagination: Pagination,
})
