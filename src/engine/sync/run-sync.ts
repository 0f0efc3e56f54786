import { setTimeout as wait } from 'node:timers/promises'
import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { Grouping } from '../../lib/grouping.ts'
import { Lanes } from '../../lib/lanes.ts'
import { pagesOf } from '../../lib/pages.ts'
import { inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Job } from '../../platform/queue/queue.ts'
import type { OpenSource } from '../../platform/sources/source-provider.ts'
import { batchItems } from './batch-items.ts'
import { openConnection } from './connection-secrets.ts'
import { deleteVanished } from './delete-vanished.ts'
import type { SyncBucket, SyncDeps } from './deps.ts'
import { BUSY_FACTOR, fetchItem } from './fetch-item.ts'
import { createFileFilter } from './file-filter.ts'
import { countItems, forgetFaults, touchItems } from './items.ts'
import { type PlanContext, planPage, type Step } from './plan-page.ts'
import {
  findSync,
  isCanceled,
  type RunCounts,
  type RunRow,
  type RunSyncPayload,
  type SyncRow,
  settingsOf,
  updateRun,
} from './runs.ts'
import type { SyncSettings } from './settings.ts'
import { type EndedItem, writeItems } from './write-items.ts'

/** Listed items that are compared with what is known in one query. */
const PAGE_ITEMS = 200
/** Listings that a source may refuse by asking to slow down. */
const LISTINGS_MAX = 3
/** Items of one transaction. */
const GROUP_MAX = 50

export type SyncConnection = {
  organization_id: string
  connection_id: string
  provider_type: string
  config: string
  sealed_secrets: string | null
}

export type RunContext = {
  deps: SyncDeps
  scope: Scope
  job: Job
  sync: SyncRow
  run: RunRow
  connection: SyncConnection
  signal: AbortSignal
}

/** How a run ended that was not interrupted. */
export type RunResult = { counts: RunCounts; capped: boolean; canceled: boolean; cursor: string | null }

type Listed = { complete: boolean; capped: boolean; canceled: boolean }
const CANCELED: Listed = { complete: false, capped: false, canceled: true }

/** One run of a sync, from the listing to the batches. Made anew when the job is repeated: all state is in the rows. */
export class SyncRun {
  readonly #context: RunContext
  readonly #settings: SyncSettings
  readonly #counts: RunCounts
  readonly #groups: Grouping<EndedItem, undefined>
  #bucket!: SyncBucket
  #source!: OpenSource
  /** Items that the run has taken or is taking; those of an interrupted attempt count too. */
  #taken = 0
  /** Items whose objects no batch holds yet. */
  #waiting = 0

  constructor(context: RunContext) {
    this.#context = context
    this.#settings = settingsOf(context.sync)
    // What is counted by listing begins anew with every attempt; what was committed stays counted.
    const {
      discovered: _,
      filtered: __,
      unchanged: ___,
      parked: ____,
      gone: _____,
      ...committed
    } = JSON.parse(context.run.counts) as RunCounts
    this.#counts = { discovered: 0, filtered: 0, unchanged: 0, parked: 0, gone: 0, ...committed }
    this.#groups = new Grouping({ run: (_key, items) => this.#commit(items), items_max: GROUP_MAX })
  }

  async execute(): Promise<RunResult> {
    const { deps, scope, sync, connection } = this.#context
    this.#bucket = await deps.objects.bucket(scope, sync.bucket_id)
    this.#waiting = await countItems(deps.db, sync, { needs_batch: 1 })
    this.#source = await openConnection(deps, connection)
    const lanes = new Lanes(deps.limits.fetches_max)
    try {
      const { complete, capped, canceled } = await this.#listPatiently(lanes)
      await lanes.finish()
      // What failed lies behind the cursor, and must be listed again to be tried again.
      const isWhole = complete && this.#counts.failed === 0
      const cursor = isWhole ? (this.#source.cursor?.() ?? null) : sync.list_cursor
      if (complete) await this.#forgetFaults()
      if (complete && this.#settings.deletion_policy === 'delete' && !this.#source.cursor)
        await this.#deleteVanished()
      while (this.#waiting > 0 && !canceled && (await this.#batch()));
      await this.#save()
      return { counts: this.#counts, capped, canceled, cursor }
    } finally {
      // Nothing may still write when the job is handed on.
      await lanes.settle()
      await this.#source.close()
    }
  }

  /** A source that asks to slow down is given time, and then listed from the start: what was taken is known by now. */
  async #listPatiently(lanes: Lanes): Promise<Listed> {
    const { deps, signal } = this.#context
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#listAll(lanes)
      } catch (error) {
        const isBusy = error instanceof KuraError && error.code === 'source_busy'
        if (!isBusy || attempt === LISTINGS_MAX) throw error
        await lanes.settle()
        await wait(deps.limits.retry_delay_ms * BUSY_FACTOR * 2 ** (attempt - 1), undefined, { signal })
        Object.assign(this.#counts, { discovered: 0, filtered: 0, unchanged: 0, parked: 0, gone: 0 })
        this.#taken = 0
      }
    }
  }

  /** `complete`: everything was listed, so that what is missing has vanished. */
  async #listAll(lanes: Lanes): Promise<Listed> {
    const { deps, scope, sync, run, signal } = this.#context
    const options = { signal, page_size: this.#settings.batch_size, cursor: await this.#startOfListing() }
    const plan = this.#planContext()
    let faults = 0
    for await (const page of pagesOf(this.#source.list(sync.source_path, options), PAGE_ITEMS)) {
      signal.throwIfAborted()
      if (await isCanceled(deps.db, run)) return CANCELED
      // A long run notices what has been locked or is being deleted since it began.
      await deps.objects.bucket(scope, sync.bucket_id)
      const steps = await planPage(deps.db, plan, page)
      this.#counts.discovered += steps.length
      if (this.#counts.discovered > deps.limits.listed_max)
        throw new KuraError('source_listing_endless', { limit: deps.limits.listed_max })
      await this.#seen(steps)
      for (const step of steps) {
        // Also one that was counted before an interruption: what lies behind it stays unseen.
        if (step.item.kind === 'fault') faults++
        if (this.#taken >= this.#settings.max_objects_per_run && isWork(step)) {
          return { complete: false, capped: true, canceled: false }
        }
        await this.#step(lanes, step)
      }
      while (this.#waiting >= this.#settings.batch_chunk_size && (await this.#batch()));
    }
    if (await isCanceled(deps.db, run)) return CANCELED
    return { complete: faults === 0, capped: false, canceled: false }
  }

  /** A person who starts a run wants parked items tried, which lie before the cursor: all is listed then. */
  async #startOfListing(): Promise<string | null> {
    const { deps, sync, run } = this.#context
    if (sync.list_cursor === null || run.started_by === 'schedule') return sync.list_cursor
    return (await countItems(deps.db, sync, { state: 'failed' })) > 0 ? null : sync.list_cursor
  }

  #planContext(): PlanContext {
    const { sync, run, connection } = this.#context
    const filter = createFileFilter(this.#settings.file_filters)
    return { sync, run, provider_type: connection.provider_type, filter }
  }

  async #step(lanes: Lanes, step: Step): Promise<void> {
    switch (step.action) {
      case 'counted':
        this.#taken++
        return
      case 'filtered':
      case 'unchanged':
      case 'parked':
        this.#counts[step.action]++
        return
      case 'fault':
        if (step.item.kind === 'fault') await this.#groups.add('', { ...step, error: step.item.error })
        return
      default:
        this.#taken++
        await lanes.start(() => this.#take(step))
    }
  }

  async #take({ item, hash }: Step): Promise<void> {
    const { deps, scope, signal } = this.#context
    const context = {
      deps,
      scope,
      bucket: this.#bucket,
      settings: this.#settings,
      source: this.#source,
      signal,
    }
    let ended: EndedItem
    try {
      ended = { item, hash, fetched: await fetchItem(context, item) }
    } catch (error) {
      if (!(error instanceof KuraError) || error.row.status >= 500) throw error
      if (error.code === 'source_item_gone') {
        this.#counts.gone++
        return
      }
      ended = { item, hash, error }
    }
    try {
      await this.#groups.add('', ended)
    } finally {
      // Bytes that got no row: of a refused object, of a duplicate, of a transaction that failed.
      if ('fetched' in ended) await deps.objects.discard(ended.fetched.prepared)
    }
  }

  /** Objects, items and counts, or nothing: and only while the job is still ours. */
  async #commit(ended: EndedItem[]): Promise<undefined[]> {
    const { deps, scope, sync, run, connection } = this.#context
    const place = { sync, run, provider_type: connection.provider_type }
    const added = await deps.objects.write(scope, this.#bucket, async (writer) => {
      await this.#holdJob(writer.trx)
      const counts = await writeItems(writer, place, ended)
      await this.#saveCounts(writer.trx, sum(this.#counts, counts))
      return counts
    })
    Object.assign(this.#counts, sum(this.#counts, added))
    this.#waiting += (added.created ?? 0) + (added.updated ?? 0)
    return ended.map(() => undefined)
  }

  /** Lets the deletion policy tell later what the run has listed. */
  async #seen(steps: readonly Step[]): Promise<void> {
    const { sync, run, deps } = this.#context
    const known = steps.filter(({ action }) => action !== 'create')
    await inTransaction(deps.db, async (trx) => {
      await this.#holdJob(trx)
      if (this.#settings.deletion_policy === 'delete')
        await touchItems(trx, sync, known, { seen_run: run.run_number })
      await this.#saveCounts(trx, this.#counts)
    })
  }

  async #forgetFaults(): Promise<void> {
    const { deps, sync, run } = this.#context
    await inTransaction(deps.db, async (trx) => {
      await this.#holdJob(trx)
      await forgetFaults(trx, sync, { before_run: run.run_number })
    })
  }

  async #deleteVanished(): Promise<void> {
    const { deps, scope, sync, run } = this.#context
    this.#counts.deleted += await deleteVanished(
      deps,
      scope,
      { sync, run, bucket: this.#bucket },
      async (trx, deleted) => {
        await this.#holdJob(trx)
        await this.#saveCounts(trx, { ...this.#counts, deleted: this.#counts.deleted + deleted })
      },
    )
  }

  /** False when there was nothing to batch. */
  async #batch(): Promise<boolean> {
    const { deps, scope, sync, run } = this.#context
    const taken = await inTransaction(deps.db, async (trx) => {
      await this.#holdJob(trx)
      return batchItems(trx, scope, deps.effects, { sync, run, settings: this.#settings })
    })
    this.#waiting = Math.max(0, this.#waiting - taken)
    if (taken > 0) deps.queue.wake()
    else this.#waiting = 0
    return taken > 0
  }

  async #save(): Promise<void> {
    await inTransaction(this.#context.deps.db, async (trx) => {
      await this.#holdJob(trx)
      await this.#saveCounts(trx, this.#counts)
    })
  }

  /** Throws when another worker has the job now, or the sync is gone; the transaction is then undone. */
  async #holdJob(trx: Trx): Promise<void> {
    const { deps, scope, job, run, sync } = this.#context
    const payload: RunSyncPayload = {
      sync_config_id: sync.sync_config_id,
      run_id: run.run_id,
      schedule_token: null,
    }
    await deps.queue.checkpoint(trx, job, payload)
    const id = sync.sync_config_id
    if (!(await findSync(trx, scope, id, { lock: true })))
      throw new KuraError('sync_not_found', { resource: 'sync', id })
  }

  async #saveCounts(trx: Trx, counts: RunCounts): Promise<void> {
    const { deps, scope, run } = this.#context
    await updateRun(trx, run, { counts: JSON.stringify(counts) })
    const { discovered, created, updated, duplicates, failed, filtered, unchanged, parked, gone } = counts
    const processed = created + updated + duplicates + failed + filtered + unchanged + parked + gone
    const progress = { processed, total: Math.max(discovered, processed) }
    await deps.effects.updateTask(trx, scope, run.task_id, { ...progress, additional_data: { counts } })
  }
}

const isWork = ({ action }: Step) => action === 'create' || action === 'update'

function sum(counts: RunCounts, added: Partial<RunCounts>): RunCounts {
  const total = { ...counts }
  for (const [name, value] of Object.entries(added)) total[name as keyof RunCounts] += value ?? 0
  return total
}
