import { omitNulls } from '../../core/json.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import { type RunRow, type SyncRow, settingsOf } from '../../engine/sync/runs.ts'
import type { SyncConfiguration, SyncRunModel } from './schemas.ts'

const CHUNK_SIZE_MAX = 1000
/** Batches and tasks of the newest runs that a sync names; its runs name them all. */
const IDS_MAX = 100

/** A sync as clients see it; `runs` are its newest, newest first. */
export function presentSync(row: SyncRow, runs: readonly RunRow[]): SyncConfiguration {
  const { metadata, deletion_policy, ...settings } = settingsOf(row)
  const batches = runs.flatMap(({ batch_ids }) => (JSON.parse(batch_ids) as string[]).reverse())
  const running = runs.find(({ run_id }) => run_id === row.current_run_id)
  return omitNulls({
    ...settings,
    deletion_policy,
    metadata: metadata ?? {},
    sync_config_id: row.sync_config_id,
    bucket_id: row.bucket_id,
    connection_id: row.connection_id,
    internal_id: row.internal_id,
    namespace_id: row.namespace_id,
    source_path: row.source_path,
    sync_mode: row.sync_mode as SyncConfiguration['sync_mode'],
    create_object_on_confirm: true,
    status: row.status as TaskStatus,
    is_active: row.is_active === 1,
    total_files_discovered: row.total_files_discovered,
    total_files_synced: row.total_files_synced,
    total_files_failed: row.total_files_failed,
    total_bytes_synced: row.total_bytes_synced,
    created_at: row.created_at,
    updated_at: row.updated_at,
    last_sync_at: row.last_sync_at,
    next_sync_at: row.next_sync_at,
    created_by_user_id: row.created_by_user_id,
    last_error: row.last_error,
    consecutive_failures: row.consecutive_failures,
    locked_at: running?.started_at,
    paused: row.paused_at !== null,
    pause_reason: row.pause_reason,
    paused_at: row.paused_at,
    paused_by_user_id: row.paused_by_user_id,
    max_batch_chunk_size: CHUNK_SIZE_MAX,
    current_sync_run_id: row.current_run_id,
    sync_run_counter: row.run_counter,
    batch_ids: batches.slice(0, IDS_MAX),
    task_ids: runs.slice(0, IDS_MAX).map(({ task_id }) => task_id),
    batches_created: row.batches_created,
    resume_enabled: true,
    resume_cursor: row.list_cursor,
    resume_objects_processed: 0,
    resume_checkpoint_frequency: 1000,
  }) as SyncConfiguration
}

export function presentRun(run: RunRow): SyncRunModel {
  const { namespace_id: _, run_id, dry_run, status, counts, batch_ids, report, ...rest } = run
  return omitNulls({
    ...rest,
    sync_job_id: run_id,
    dry_run: dry_run === 1,
    status: status as TaskStatus,
    counts: JSON.parse(counts) as Record<string, number>,
    batch_ids: JSON.parse(batch_ids) as string[],
    ...(dry_run === 1 && { report: JSON.parse(report) }),
  })
}
