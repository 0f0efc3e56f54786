import type { Generated } from 'kysely'
import type { Flag, Instant, Json } from './columns.ts'

/** Connections and syncs. */
export type ConnectionTables = {
  connections: {
    organization_id: string
    connection_id: string
    internal_id: string
    name: string
    /** The name while it is taken; null once archived. */
    taken_name: string | null
    provider_type: string
    /** `provider_config` with its secrets masked. */
    config: Json
    /** The secrets by dotted path, sealed together; null when there are none. */
    sealed_secrets: string | null
    description: string | null
    metadata: Json
    status: string
    last_used_at: Instant | null
    last_error: string | null
    consecutive_failures: Generated<number>
    created_by_user_id: string
    created_at: Instant
    updated_at: Instant
  }
  syncs: {
    namespace_id: string
    sync_config_id: string
    organization_id: string
    internal_id: string
    bucket_id: string
    connection_id: string
    source_path: string
    sync_mode: string
    settings: Json
    status: string
    is_active: Flag
    paused_at: Instant | null
    paused_by_user_id: string | null
    pause_reason: string | null
    total_files_discovered: Generated<number>
    total_files_synced: Generated<number>
    total_files_failed: Generated<number>
    total_bytes_synced: Generated<number>
    batches_created: Generated<number>
    run_counter: Generated<number>
    /** The run that is queued or running; null between runs. */
    current_run_id: string | null
    /** What the waiting job of the next run must show; another value or null drops it. */
    schedule_token: string | null
    list_cursor: string | null
    last_sync_at: Instant | null
    next_sync_at: Instant | null
    last_error: string | null
    consecutive_failures: Generated<number>
    created_by_user_id: string
    created_at: Instant
    updated_at: Instant
  }
  sync_runs: {
    namespace_id: string
    sync_config_id: string
    run_id: string
    run_number: number
    started_by: string
    dry_run: Flag
    status: string
    task_id: string
    counts: Json
    error: string | null
    batch_ids: Json
    report: Json
    created_at: Instant
    started_at: Instant | null
    ended_at: Instant | null
  }
  sync_items: {
    namespace_id: string
    bucket_id: string
    /** SHA-256 of provider and source id: the identity of the item within the bucket. */
    item_hash: string
    /** The sync that wrote it last. */
    sync_config_id: string
    provider_type: string
    path: string
    version: string
    object_id: string | null
    /** Whether the object was made for this item, so that its changes go there. */
    owns_object: Flag
    state: string
    error_code: string | null
    error: string | null
    is_transient: Flag
    size_bytes: number
    /** Run that last wrote the item. */
    run_number: number
    /** Run that last listed it; kept only where vanished items are deleted. */
    seen_run: number
    needs_batch: Flag
    updated_at: Instant
  }
}
