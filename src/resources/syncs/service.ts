import { KuraError, ValidationError, type Violation, valueError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { omitNulls } from '../../core/json.ts'
import { listInMemory } from '../../core/memory-list.ts'
import { type PageRequest, paginate } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { storedStatus } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import { validator } from '../../core/validation.ts'
import type { SyncEffects } from '../../engine/sync/deps.ts'
import { createFileFilter } from '../../engine/sync/file-filter.ts'
import { checkMapping } from '../../engine/sync/mapping.ts'
import {
  findRun,
  type StartedBy,
  type SyncRow,
  scheduleNext,
  settingsOf,
  startRun,
  updateSync,
} from '../../engine/sync/runs.ts'
import { checkSchedule } from '../../engine/sync/schedule.ts'
import { FileFilters, type SyncSettings } from '../../engine/sync/settings.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { findProvider } from '../../platform/sources/registry.ts'
import { type BucketRecord, findBucket, requireWritable } from '../buckets/index.ts'
import { findConnection } from '../connections/index.ts'
import { presentRun, presentSync } from './present.ts'
import type {
  CreateSyncBody,
  ListSyncsBody,
  ListSyncsResponse,
  SyncConfiguration,
  UpdateSyncBody,
} from './schemas.ts'
import * as store from './store.ts'

export type SyncServiceOptions = { db: Db; queue: JobQueue; effects: Pick<SyncEffects, 'insertTask'> }

export type SyncPath = { bucket_id: string; sync_config_id: string }

/** What a bucket takes from a connection, and when. */
export class SyncService {
  readonly #db: Db
  readonly #queue: JobQueue
  readonly #effects: Pick<SyncEffects, 'insertTask'>

  constructor({ db, queue, effects }: SyncServiceOptions) {
    this.#db = db
    this.#queue = queue
    this.#effects = effects
  }

  /** The first run begins at once. Throws `connection_inactive`, and 422 for paths, filters and mappings that do not fit. */
  async create(scope: Scope, bucket_identifier: string, body: CreateSyncBody): Promise<SyncConfiguration> {
    const { connection_id: identifier, source_path, sync_mode, ...rest } = body
    const bucket = await findBucket(this.#db, scope, bucket_identifier)
    requireWritable(bucket)
    const settings = checkSettings(bucket, omitNulls(rest) as SyncSettings)
    const connection = await findConnection(this.#db, scope, identifier)
    if (connection.status !== 'ACTIVE')
      throw new KuraError('connection_inactive', { status: connection.status })
    const problem = findProvider(connection.provider_type)?.checkPath(
      source_path,
      JSON.parse(connection.config),
    )
    if (problem) throw valueError(['body', 'source_path'], problem)
    const now = timestamp()
    const row = {
      namespace_id: scope.namespaceId,
      sync_config_id: newId.sync(),
      organization_id: scope.organizationId,
      internal_id: newId.internal(),
      bucket_id: bucket.bucket_id,
      connection_id: connection.connection_id,
      source_path,
      sync_mode,
      settings: JSON.stringify(settings),
      status: 'PENDING',
      is_active: 1,
      created_by_user_id: scope.actor?.userId ?? scope.actor?.keyId ?? 'system',
      created_at: now,
      updated_at: now,
    }
    return this.#wakeAfter(async (trx) => {
      await trx.insertInto('syncs').values(row).execute()
      const sync = await store.getSync(trx, scope, bucket.bucket_id, row.sync_config_id, { lock: true })
      await this.#start(trx, scope, sync, 'created')
      return this.#present(trx, scope, sync)
    })
  }

  async get(scope: Scope, path: SyncPath): Promise<SyncConfiguration> {
    const { bucket_id } = await findBucket(this.#db, scope, path.bucket_id)
    const row = await store.getSync(this.#db, scope, bucket_id, path.sync_config_id)
    return presentSync(row, await store.listRuns(this.#db, row, NEWEST))
  }

  async list(
    scope: Scope,
    bucket_identifier: string,
    { connection_id, status, is_active, ...query }: ListSyncsBody,
    page: PageRequest,
  ): Promise<ListSyncsResponse> {
    const { bucket_id } = await findBucket(this.#db, scope, bucket_identifier)
    const wanted = status && storedStatus(status)
    const asked = (await store.listSyncs(this.#db, scope, bucket_id))
      .filter((one) => !connection_id || one.connection_id === connection_id)
      .filter((one) => !wanted || one.status === wanted)
      .filter((one) => typeof is_active !== 'boolean' || (one.is_active === 1) === is_active)
    const records: SyncConfiguration[] = []
    for (const row of asked)
      records.push(presentSync(row, await store.listRuns(this.#db, row, { ...NEWEST, limit: 10 })))
    const { results, matches, pagination } = listInMemory(records, {
      query,
      page,
      path: `/v1/buckets/${encodeURIComponent(bucket_identifier)}/syncs/list`,
      id: 'sync_config_id',
      texts: ({ sync_config_id, source_path, description }) => [sync_config_id, source_path, description],
    })
    return { results, pagination, total: matches.length }
  }

  /** `metadata` and `schema_mapping` are replaced whole. ACTIVE resumes, SUSPENDED pauses. */
  async update(scope: Scope, path: SyncPath, body: UpdateSyncBody): Promise<SyncConfiguration> {
    if (Object.values(body).every((value) => value === undefined)) throw new KuraError('empty_update')
    const { status, is_active, ...changes } = body
    const wanted =
      status ?? (typeof is_active === 'boolean' ? (is_active ? 'ACTIVE' : 'SUSPENDED') : undefined)
    if (wanted && wanted !== 'ACTIVE' && wanted !== 'SUSPENDED')
      throw valueError(['body', 'status'], "Input should be 'ACTIVE' or 'SUSPENDED'")
    return this.#change(scope, path, async (trx, row, bucket) => {
      const merged = { ...settingsOf(row), ...changesOf(changes) }
      const settings = checkSettings(bucket, omitNulls(merged) as SyncSettings)
      await updateSync(trx, row, { settings: JSON.stringify(settings), updated_at: timestamp() })
      if (is_active === false && wanted === 'SUSPENDED') await updateSync(trx, row, { is_active: 0 })
      // What the old filters left out lies before the place where the next listing would go on.
      if (changes.file_filters !== undefined || changes.schema_mapping !== undefined)
        await updateSync(trx, row, { list_cursor: null })
      const after = await store.getSync(trx, scope, row.bucket_id, row.sync_config_id)
      if (wanted === 'SUSPENDED') await this.#pause(trx, scope, after)
      else if (wanted === 'ACTIVE') await this.#resume(trx, scope, after)
      // The next poll was scheduled by the old interval.
      else if (after.schedule_token !== null) await scheduleNext(trx, this.#queue, after)
    })
  }

  /** Objects stay; a later sync of the same files knows them again. */
  delete(scope: Scope, path: SyncPath): Promise<{ message: string; success: boolean }> {
    return inTransaction(this.#db, async (trx) => {
      const { bucket_id } = await findBucket(trx, scope, path.bucket_id)
      await store.deleteSync(
        trx,
        scope,
        await store.getSync(trx, scope, bucket_id, path.sync_config_id, { lock: true }),
      )
      return { message: 'Sync configuration deleted', success: true }
    })
  }

  /** A run that is under way is answered again; a dry run goes beside it. Throws `sync_paused`. */
  trigger(scope: Scope, path: SyncPath, { dry_run }: { dry_run: boolean }) {
    return this.#wakeAfter(async (trx) => {
      const bucket = await findBucket(trx, scope, path.bucket_id)
      const row = await store.getSync(trx, scope, bucket.bucket_id, path.sync_config_id, { lock: true })
      if (!dry_run && row.paused_at !== null) throw new KuraError('sync_paused')
      if (!dry_run) requireWritable(bucket)
      await requireConnection(trx, row)
      const current =
        !dry_run && row.current_run_id !== null
          ? await findRun(trx, scope, row.sync_config_id, row.current_run_id)
          : undefined
      const run = current ?? (await this.#start(trx, scope, row, 'manual', dry_run))
      // A failed sync that somebody starts by hand counts anew.
      if (!current && !dry_run && row.is_active === 0) await updateSync(trx, row, REVIVED)
      return {
        sync_job_id: run.run_id,
        sync_config_id: row.sync_config_id,
        task_id: run.task_id,
        status: 'PENDING',
      }
    })
  }

  /** A run that is under way goes on to its end. */
  pause(scope: Scope, path: SyncPath): Promise<SyncConfiguration> {
    return this.#change(scope, path, (trx, row) => this.#pause(trx, scope, row))
  }

  /** Forgets failures and runs at once, from where it was. */
  resume(scope: Scope, path: SyncPath): Promise<SyncConfiguration> {
    return this.#change(scope, path, (trx, row) => this.#resume(trx, scope, row))
  }

  async runs(scope: Scope, path: SyncPath, page: PageRequest) {
    const row = await this.#row(scope, path)
    const [runs, total] = [await store.listRuns(this.#db, row, page), await store.countRuns(this.#db, row)]
    const place = `/v1/buckets/${encodeURIComponent(path.bucket_id)}/syncs/${row.sync_config_id}/runs`
    return {
      results: runs.map(presentRun),
      pagination: paginate({ page, total, path: place, next_cursor: null }),
      total,
    }
  }

  async run(scope: Scope, path: SyncPath, run_id: string) {
    const row = await this.#row(scope, path)
    const run = await findRun(this.#db, scope, row.sync_config_id, run_id)
    if (!run) throw new KuraError('sync_run_not_found', { resource: 'sync_run', id: run_id })
    return presentRun(run)
  }

  /** What the sync knows of each file; `state=failed` gives the parked ones with their errors. */
  async files(scope: Scope, path: SyncPath, state: string | null, page: PageRequest) {
    const row = await this.#row(scope, path)
    const { rows, next_cursor } = await store.listItems(this.#db, row, state, page)
    const place = `/v1/buckets/${encodeURIComponent(path.bucket_id)}/syncs/${row.sync_config_id}/files`
    const results = rows.map(
      ({
        path: file,
        state: found,
        version,
        object_id,
        error_code,
        error,
        size_bytes,
        run_number,
        updated_at,
      }) =>
        omitNulls({
          path: file,
          state: found,
          version,
          object_id,
          error_code,
          error,
          size_bytes,
          run_number,
          updated_at,
        }),
    )
    return { results, pagination: paginate({ page, total: null, path: place, next_cursor }) }
  }

  async #row(scope: Scope, path: SyncPath): Promise<SyncRow> {
    const { bucket_id } = await findBucket(this.#db, scope, path.bucket_id)
    return store.getSync(this.#db, scope, bucket_id, path.sync_config_id)
  }

  #change(
    scope: Scope,
    path: SyncPath,
    work: (trx: Trx, row: SyncRow, bucket: BucketRecord) => Promise<void>,
  ): Promise<SyncConfiguration> {
    return this.#wakeAfter(async (trx) => {
      const bucket = await findBucket(trx, scope, path.bucket_id)
      const row = await store.getSync(trx, scope, bucket.bucket_id, path.sync_config_id, { lock: true })
      await work(trx, row, bucket)
      return this.#present(trx, scope, row)
    })
  }

  async #pause(trx: Trx, scope: Scope, row: SyncRow): Promise<void> {
    if (row.paused_at !== null) return
    await updateSync(trx, row, {
      status: 'SUSPENDED',
      paused_at: timestamp(),
      paused_by_user_id: scope.actor?.userId ?? null,
      pause_reason: null,
      schedule_token: null,
      next_sync_at: null,
      updated_at: timestamp(),
    })
  }

  async #resume(trx: Trx, scope: Scope, row: SyncRow): Promise<void> {
    if (row.paused_at === null && row.is_active === 1) return
    await requireConnection(trx, row)
    await updateSync(trx, row, {
      ...REVIVED,
      paused_at: null,
      paused_by_user_id: null,
      pause_reason: null,
      updated_at: timestamp(),
    })
    if (row.current_run_id === null) await this.#start(trx, scope, row, 'resumed')
  }

  #start(trx: Trx, scope: Scope, row: SyncRow, started_by: StartedBy, dry_run = false) {
    return startRun(trx, scope, { effects: this.#effects, queue: this.#queue }, row, { started_by, dry_run })
  }

  async #present(trx: Trx, scope: Scope, { bucket_id, sync_config_id }: SyncRow): Promise<SyncConfiguration> {
    const row = await store.getSync(trx, scope, bucket_id, sync_config_id)
    return presentSync(row, await store.listRuns(trx, row, NEWEST))
  }

  async #wakeAfter<T>(work: (trx: Trx) => Promise<T>): Promise<T> {
    const result = await inTransaction(this.#db, work)
    this.#queue.wake()
    return result
  }
}

const NEWEST = { limit: 100, offset: 0 }

const REVIVED = { status: 'ACTIVE', is_active: 1, consecutive_failures: 0, last_error: null }

/** Throws `connection_inactive`; a FAILED one may be tried, since success revives it. */
async function requireConnection(trx: Trx, { organization_id, connection_id }: SyncRow): Promise<void> {
  const { status } = await findConnection(trx, { organizationId: organization_id }, connection_id)
  if (status !== 'ACTIVE' && status !== 'FAILED') throw new KuraError('connection_inactive', { status })
}

/** Filters that compile, a mapping that fits the bucket, a schedule that comes true: else 422. */
function checkSettings(bucket: BucketRecord, settings: SyncSettings): SyncSettings {
  const violations: Violation[] = []
  const loc = ['body', 'file_filters']
  const file_filters = settings.file_filters
    ? (validator(FileFilters)(settings.file_filters, loc, violations) as FileFilters)
    : undefined
  if (settings.schema_mapping) violations.push(...checkMapping(bucket.schema, settings.schema_mapping))
  if (violations.length > 0) throw new ValidationError(violations)
  createFileFilter(file_filters)
  if (settings.schedule) checkSchedule(settings.schedule)
  return { ...settings, ...(file_filters && { file_filters }) }
}

/** Null clears these; the other settings always have a value, and null says nothing about them. */
const CLEARABLE = ['description', 'file_filters', 'schema_mapping', 'schedule']

const changesOf = (body: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(body).filter(
      ([member, value]) => value !== undefined && (value !== null || CLEARABLE.includes(member)),
    ),
  )
