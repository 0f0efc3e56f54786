import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { inTransaction, type Trx } from '../../platform/db/db.ts'
import { type Job, type JobHandler, LeaseLostError } from '../../platform/queue/queue.ts'
import type { SyncDeps } from './deps.ts'
import { dryRun } from './dry-run.ts'
import { countItems } from './items.ts'
import { type RunContext, type RunResult, type SyncConnection, SyncRun } from './run-sync.ts'
import {
  findRun,
  findSync,
  insertRun,
  type RunRow,
  type RunSyncPayload,
  type SyncRow,
  scheduleNext,
  settingsOf,
  updateRun,
  updateSync,
} from './runs.ts'

/** Failed runs in a row after which a sync is given up (contract, syncs). */
const FAILURES_MAX = 5
/** Attempts after which a fault of this server ends the run too, instead of holding the sync up for ever. */
const ATTEMPTS_MAX = 5
const FAILED_DELAY_MS_MAX = 3600_000

/** The job `run_sync`: does one run and schedules the next in the transaction that ends it. */
export function runSyncJob(deps: SyncDeps): JobHandler {
  return async (job, signal) => {
    const scope: Scope = { organizationId: job.organization_id, namespaceId: job.namespace_id }
    const begun = await begin(deps, scope, job)
    if (!begun) return
    const context: RunContext = { deps, scope, job, signal, ...begun }
    try {
      if (begun.run.dry_run) await dryRun(context)
      else await end(context, await new SyncRun(context).execute())
    } catch (error) {
      if (error instanceof LeaseLostError || signal.aborted) throw error
      // With the schema that the bucket has now the run may go on.
      const isOvertaken = error instanceof KuraError && error.code === 'bucket_schema_changed'
      const isRefusal = error instanceof KuraError && error.row.status < 500 && !isOvertaken
      if (!isRefusal && job.attempt < ATTEMPTS_MAX) throw error
      if (isRefusal) await fail(context, error.message, { blames_connection: isOfConnection(error) })
      else await fail(context, 'The server failed; see its log.', { blames_connection: false })
    }
    deps.queue.wake()
  }
}

/** Whether a failed run tells something about the connection, and not about the bucket or the sync. */
const isOfConnection = ({ code }: KuraError) =>
  code === 'connection_failed' || code.startsWith('url_') || code.startsWith('source_')

type Begun = { sync: SyncRow; run: RunRow; connection: SyncConnection }

/** Null, and the job is done, when there is nothing to run: the sync is gone, paused, or another poll is scheduled. */
function begin(deps: SyncDeps, scope: Scope, job: Job): Promise<Begun | null> {
  const { sync_config_id, run_id, schedule_token } = job.payload as RunSyncPayload
  return inTransaction(deps.db, async (trx) => {
    const sync = await findSync(trx, scope, sync_config_id, { lock: true })
    const connection = sync && (await connectionOf(trx, sync))
    const run =
      sync && (await runOf(trx, deps, scope, sync, { run_id, schedule_token, isOpen: !!connection }))
    if (!sync || !run || run.ended_at !== null || !connection) {
      await deps.queue.complete(trx, job)
      if (sync && !connection) await skip(trx, deps, scope, sync, { run, schedule_token })
      return null
    }
    await deps.queue.checkpoint(trx, job, { sync_config_id, run_id: run.run_id, schedule_token: null })
    const started = { status: 'IN_PROGRESS', started_at: run.started_at ?? timestamp() }
    await updateRun(trx, run, started)
    await deps.effects.updateTask(trx, scope, run.task_id, { status: 'IN_PROGRESS' })
    if (!run.dry_run && sync.paused_at === null && sync.status !== 'ACTIVE')
      await updateSync(trx, sync, { status: 'ACTIVE' })
    return { sync, run: { ...run, ...started }, connection }
  })
}

async function runOf(
  trx: Trx,
  deps: SyncDeps,
  scope: Scope,
  sync: SyncRow,
  { run_id, schedule_token, isOpen }: Omit<RunSyncPayload, 'sync_config_id'> & { isOpen: boolean },
): Promise<RunRow | undefined> {
  if (run_id !== null) return findRun(trx, scope, sync.sync_config_id, run_id)
  const isDue = schedule_token !== null && sync.schedule_token === schedule_token
  if (!isDue || !isOpen || sync.current_run_id !== null || !sync.is_active || sync.paused_at !== null)
    return undefined
  return insertRun(trx, scope, deps.effects, sync, { started_by: 'schedule' })
}

/** A connection that was suspended meanwhile: a run that waited ends, and the next poll looks again. */
async function skip(
  trx: Trx,
  { queue, effects }: SyncDeps,
  scope: Scope,
  sync: SyncRow,
  { run, schedule_token }: { run: RunRow | undefined; schedule_token: string | null },
): Promise<void> {
  const isCurrent = run ? run.run_id === sync.current_run_id : sync.schedule_token === schedule_token
  if (run && run.ended_at === null) {
    const error = 'The connection is not active.'
    await updateRun(trx, run, { status: 'FAILED', ended_at: timestamp(), error })
    await effects.updateTask(trx, scope, run.task_id, { status: 'FAILED', error })
    if (isCurrent) await updateSync(trx, sync, { current_run_id: null, last_error: error })
  }
  if (isCurrent && canRun(sync)) await scheduleNext(trx, queue, sync)
}

function connectionOf(
  trx: Trx,
  { organization_id, connection_id }: SyncRow,
): Promise<SyncConnection | undefined> {
  return trx
    .selectFrom('connections')
    .select(['organization_id', 'connection_id', 'provider_type', 'config', 'sealed_secrets'])
    .where('organization_id', '=', organization_id)
    .where('connection_id', '=', connection_id)
    .where('status', 'in', ['ACTIVE', 'FAILED'])
    .executeTakeFirst()
}

/** Ends a run that went through, also one with failing files. */
async function end({ deps, scope, job, sync, run }: RunContext, result: RunResult): Promise<void> {
  const { counts, capped, canceled, cursor } = result
  await inTransaction(deps.db, async (trx) => {
    await deps.queue.complete(trx, job)
    const now = await findSync(trx, scope, sync.sync_config_id, { lock: true })
    const status = canceled ? 'CANCELED' : counts.failed > 0 ? 'COMPLETED_WITH_ERRORS' : 'COMPLETED'
    await updateRun(trx, run, { status, ended_at: timestamp(), error: null })
    const outputs = [{ ...counts, capped }]
    await deps.effects.updateTask(trx, scope, run.task_id, { status, outputs })
    if (!now) return
    await deps.effects.recordConnectionUse(trx, scope, sync.connection_id, null)
    const isLast = sync.sync_mode === 'initial_only' && !capped
    await updateSync(trx, now, {
      current_run_id: null,
      list_cursor: cursor,
      last_sync_at: timestamp(),
      last_error: null,
      consecutive_failures: 0,
      total_files_discovered: counts.discovered,
      total_files_synced: now.total_files_synced + counts.created + counts.updated + counts.duplicates,
      total_files_failed: await countItems(trx, sync, { state: 'failed' }),
      total_bytes_synced: now.total_bytes_synced + counts.bytes,
      status: now.paused_at ? 'SUSPENDED' : isLast ? 'COMPLETED' : 'ACTIVE',
    })
    // A cap that only failing files reached would be reached again at once.
    const isAdvancing = capped && counts.created + counts.updated + counts.duplicates > 0
    if (!isLast && canRun(now)) await scheduleNext(trx, deps.queue, now, isAdvancing ? { delay_ms: 0 } : {})
  })
}

const canRun = ({ is_active, paused_at }: SyncRow) => is_active === 1 && paused_at === null

/** Ends a run that failed as a whole; the next waits longer each time, and the fifth ends the sync. */
async function fail(
  { deps, scope, job, sync, run }: RunContext,
  reason: string,
  { blames_connection }: { blames_connection: boolean },
): Promise<void> {
  const error = reason.slice(0, 1000)
  await inTransaction(deps.db, async (trx) => {
    await deps.queue.complete(trx, job)
    await updateRun(trx, run, { status: 'FAILED', ended_at: timestamp(), error })
    await deps.effects.updateTask(trx, scope, run.task_id, { status: 'FAILED', error })
    const now = await findSync(trx, scope, sync.sync_config_id, { lock: true })
    if (!now || run.dry_run) return
    if (blames_connection) await deps.effects.recordConnectionUse(trx, scope, sync.connection_id, error)
    const consecutive_failures = now.consecutive_failures + 1
    const isOver = consecutive_failures >= FAILURES_MAX
    const change = {
      current_run_id: null,
      consecutive_failures,
      last_error: error,
      ...(now.paused_at ? { status: 'SUSPENDED' } : isOver && { status: 'FAILED', is_active: 0 }),
    }
    await updateSync(trx, now, change)
    if (isOver || !canRun(now)) return
    const interval_ms = settingsOf(now).polling_interval_seconds * 1000
    const delay_ms = Math.min(interval_ms * 2 ** (consecutive_failures - 1), FAILED_DELAY_MS_MAX)
    await scheduleNext(trx, deps.queue, now, { delay_ms })
  })
}
