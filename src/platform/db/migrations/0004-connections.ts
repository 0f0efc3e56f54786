import type { Migration } from '../migrate.ts'

/** Connections, syncs, their runs and what they have seen. */
export const connections: Migration = {
  number: 4,
  name: 'connections',
  statements: ({ text, json }) => [
    // A name is taken while its connection is not archived: `taken_name` is null from then on.
    `create table connections (
      organization_id ${text} not null, connection_id ${text} not null, internal_id ${text} not null,
      name ${text} not null, taken_name ${text}, provider_type ${text} not null,
      config ${json} not null, sealed_secrets ${text}, description ${text}, metadata ${json} not null,
      status ${text} not null, last_used_at ${text}, last_error ${text},
      consecutive_failures integer not null default 0, created_by_user_id ${text} not null,
      created_at ${text} not null, updated_at ${text} not null,
      primary key (organization_id, connection_id), unique (organization_id, taken_name))`,

    `create table syncs (
      namespace_id ${text} not null, sync_config_id ${text} not null, organization_id ${text} not null,
      internal_id ${text} not null, bucket_id ${text} not null, connection_id ${text} not null,
      source_path ${text} not null, sync_mode ${text} not null, settings ${json} not null,
      status ${text} not null, is_active integer not null default 1,
      paused_at ${text}, paused_by_user_id ${text}, pause_reason ${text},
      total_files_discovered bigint not null default 0, total_files_synced bigint not null default 0,
      total_files_failed bigint not null default 0, total_bytes_synced bigint not null default 0,
      batches_created bigint not null default 0, run_counter bigint not null default 0,
      current_run_id ${text}, schedule_token ${text}, list_cursor ${text},
      last_sync_at ${text}, next_sync_at ${text}, last_error ${text},
      consecutive_failures integer not null default 0, created_by_user_id ${text} not null,
      created_at ${text} not null, updated_at ${text} not null,
      primary key (namespace_id, sync_config_id))`,
    'create index syncs_newest on syncs (namespace_id, bucket_id, created_at desc, sync_config_id)',
    'create index syncs_by_connection on syncs (organization_id, connection_id)',

    `create table sync_runs (
      namespace_id ${text} not null, sync_config_id ${text} not null, run_id ${text} not null,
      run_number bigint not null, started_by ${text} not null, dry_run integer not null,
      status ${text} not null, task_id ${text} not null, counts ${json} not null, error ${text},
      batch_ids ${json} not null, report ${json} not null,
      created_at ${text} not null, started_at ${text}, ended_at ${text},
      primary key (namespace_id, sync_config_id, run_id))`,
    'create index sync_runs_newest on sync_runs (namespace_id, sync_config_id, run_number desc)',

    // One row an item of a source that a bucket has taken in or parked, whatever sync it was.
    `create table sync_items (
      namespace_id ${text} not null, bucket_id ${text} not null, item_hash ${text} not null,
      sync_config_id ${text} not null, provider_type ${text} not null, path ${text} not null,
      version ${text} not null, object_id ${text}, owns_object integer not null default 0,
      state ${text} not null, error_code ${text}, error ${text}, is_transient integer not null default 0,
      size_bytes bigint not null default 0, run_number bigint not null, seen_run bigint not null,
      needs_batch integer not null default 0, updated_at ${text} not null,
      primary key (namespace_id, bucket_id, item_hash))`,
    'create index sync_items_of_sync on sync_items (namespace_id, sync_config_id, state, item_hash)',
    'create index sync_items_by_run on sync_items (namespace_id, sync_config_id, seen_run)',
    'create index sync_items_by_object on sync_items (namespace_id, object_id)',
    'create index sync_items_to_batch on sync_items (namespace_id, sync_config_id, item_hash) where needs_batch = 1',
  ],
}
