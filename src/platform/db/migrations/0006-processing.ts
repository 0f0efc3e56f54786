import type { Migration } from '../migrate.ts'

/** Lanes of jobs, logs and health of batches. */
export const processing: Migration = {
  number: 6,
  name: 'processing',
  statements: ({ text, identity }) => [
    // Jobs that wait from before run in the lane of their kind; those that were delayed merely run early.
    `alter table jobs add column lane ${text} not null default 'compute'`,
    `update jobs set lane = 'transfer' where kind in ('delete_bucket', 'delete_namespace', 'delete_collection')`,
    'drop index jobs_next',
    // One look-up finds the next namespace in the highest priority, however many jobs wait.
    `create index jobs_in_turn on jobs (lane, priority desc, namespace_id, run_at, job_id) where status = 'queued'`,
    'drop index jobs_leased',
    'create index jobs_leased on jobs (lane, lease_expires_at) where lease_expires_at is not null',
    `create index jobs_by_time on jobs (lane, status, run_at, job_id)`,
    'alter table batches add column priority integer not null default 0',
    `alter table batches add column progress_at ${text}`,
    `create table batch_logs (
      log_seq ${identity}, namespace_id ${text} not null, batch_id ${text} not null, tier_num integer not null,
      line ${text} not null)`,
    'create index batch_logs_by_tier on batch_logs (namespace_id, batch_id, tier_num, log_seq)',
  ],
}
