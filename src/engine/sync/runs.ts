import type { Selectable } from 'kysely'
import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp, toTimestamp } from '../../core/time.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import type { SyncEffects } from './deps.ts'
import { nextRunAt } from './schedule.ts'
import type { SyncSettings } from './settings.ts'

export type SyncRow = Selectable<Schema['syncs']>
export type RunRow = Selectable<Schema['sync_runs']>

/** The payload of `run_sync`: a run that exists, or the token of one that is due later. */
export type RunSyncPayload = { sync_config_id: string; run_id: string | null; schedule_token: string | null }

/** Why a run was started; `schedule` is the poll of a continuous sync. */
export type StartedBy = 'created' | 'manual' | 'resumed' | 'schedule' | 'continued'

/** What a run has done so far; discovered = taken + unchanged + filtered + parked + failed + gone + duplicates. */
export type RunCounts = {
  discovered: number
  filtered: number
  unchanged: number
  created: number
  updated: number
  /** Files whose content an object of the bucket has already. */
  duplicates: number
  /** Files that failed before and have not changed since. */
  parked: number
  failed: number
  /** Files that vanished between being listed and being read. */
  gone: number
  deleted: number
  bytes: number
}

export const NO_COUNTS: RunCounts = {
  discovered: 0,
  filtered: 0,
  unchanged: 0,
  created: 0,
  updated: 0,
  duplicates: 0,
  parked: 0,
  failed: 0,
  gone: 0,
  deleted: 0,
  bytes: 0,
}

/** Runs kept for the history of a sync. */
const RUNS_KEPT = 100

export const settingsOf = ({ settings }: Pick<SyncRow, 'settings'>): SyncSettings => JSON.parse(settings)

export async function findSync(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  sync_config_id: string,
  { lock = false }: { lock?: boolean } = {},
): Promise<SyncRow | undefined> {
  const query = db
    .selectFrom('syncs')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('sync_config_id', '=', sync_config_id)
  return (lock && dialect(db) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
}

export async function updateSync(
  trx: DbOrTrx,
  { namespace_id, sync_config_id }: Pick<SyncRow, 'namespace_id' | 'sync_config_id'>,
  change: Partial<SyncRow>,
): Promise<void> {
  await trx
    .updateTable('syncs')
    .set(change)
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .execute()
}

export function findRun(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  sync_config_id: string,
  run_id: string,
): Promise<RunRow | undefined> {
  return db
    .selectFrom('sync_runs')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('sync_config_id', '=', sync_config_id)
    .where('run_id', '=', run_id)
    .executeTakeFirst()
}

/** Whether somebody has killed the task of the run, which asks it to end. */
export async function isCanceled(db: DbOrTrx, { task_id }: Pick<RunRow, 'task_id'>): Promise<boolean> {
  const task = await db.selectFrom('tasks').select('status').where('task_id', '=', task_id).executeTakeFirst()
  return task?.status === 'CANCELED'
}

export async function updateRun(
  trx: Trx,
  { namespace_id, sync_config_id, run_id }: Pick<RunRow, 'namespace_id' | 'sync_config_id' | 'run_id'>,
  change: Partial<RunRow>,
): Promise<void> {
  await trx
    .updateTable('sync_runs')
    .set(change)
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .where('run_id', '=', run_id)
    .execute()
}

/** Makes the record and the task of a run; the sync row MUST be locked. A dry run stands beside the others. */
export async function insertRun(
  trx: Trx,
  scope: Scope,
  effects: Pick<SyncEffects, 'insertTask'>,
  sync: SyncRow,
  { started_by, dry_run = false }: { started_by: StartedBy; dry_run?: boolean },
): Promise<RunRow> {
  const { namespace_id, sync_config_id, bucket_id, connection_id } = sync
  const run_id = newId.job()
  const run_number = sync.run_counter + 1
  const task_id = await effects.insertTask(trx, scope, {
    task_type: 'api_buckets_objects_create',
    namespace_id,
    inputs: [sync_config_id],
    additional_data: { sync_config_id, sync_job_id: run_id, bucket_id, connection_id, started_by, dry_run },
  })
  const run: RunRow = {
    namespace_id,
    sync_config_id,
    run_id,
    run_number,
    started_by,
    dry_run: dry_run ? 1 : 0,
    status: 'PENDING',
    task_id,
    counts: JSON.stringify(NO_COUNTS),
    error: null,
    batch_ids: '[]',
    report: '[]',
    created_at: timestamp(),
    started_at: null,
    ended_at: null,
  }
  await trx.insertInto('sync_runs').values(run).execute()
  await updateSync(trx, sync, {
    run_counter: run_number,
    // The waiting poll is void: the end of this run schedules the next one.
    ...(!dry_run && { current_run_id: run_id, schedule_token: null, next_sync_at: null }),
  })
  await forgetOldRuns(trx, sync, run_number)
  return run
}

/** Inserts a run and the job that does it. */
export async function startRun(
  trx: Trx,
  scope: Scope,
  { effects, queue }: { effects: Pick<SyncEffects, 'insertTask'>; queue: JobQueue },
  sync: SyncRow,
  options: { started_by: StartedBy; dry_run?: boolean },
): Promise<RunRow> {
  const run = await insertRun(trx, scope, effects, sync, options)
  await enqueueRun(trx, queue, sync, { run_id: run.run_id, schedule_token: null }, 0)
  return run
}

/** Schedules the next poll; whatever was scheduled before is void. */
export async function scheduleNext(
  trx: Trx,
  queue: JobQueue,
  sync: SyncRow,
  { delay_ms }: { delay_ms?: number } = {},
): Promise<void> {
  const schedule_token = newId.job()
  const wait_ms = delay_ms ?? Math.max(0, nextRunAt(settingsOf(sync), Date.now()) - Date.now())
  await updateSync(trx, sync, { schedule_token, next_sync_at: toTimestamp(Date.now() + wait_ms) })
  await enqueueRun(trx, queue, sync, { run_id: null, schedule_token }, wait_ms)
}

async function enqueueRun(
  trx: Trx,
  queue: JobQueue,
  { organization_id, namespace_id, sync_config_id }: SyncRow,
  what: { run_id: string | null; schedule_token: string | null },
  delay_ms: number,
): Promise<void> {
  const payload: RunSyncPayload = { sync_config_id, ...what }
  await queue.enqueue(trx, [{ organization_id, namespace_id, kind: 'run_sync', payload, delay_ms }])
}

async function forgetOldRuns(
  trx: Trx,
  { namespace_id, sync_config_id }: SyncRow,
  newest: number,
): Promise<void> {
  await trx
    .deleteFrom('sync_runs')
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .where('run_number', '<=', newest - RUNS_KEPT)
    .where('ended_at', 'is not', null)
    .execute()
}
