import { KuraError } from '../../core/errors.ts'
import { timestamp } from '../../core/time.ts'
import { pagesOf } from '../../lib/pages.ts'
import { inTransaction } from '../../platform/db/db.ts'
import type { SourceItem } from '../../platform/sources/source-provider.ts'
import { openConnection } from './connection-secrets.ts'
import { createFileFilter } from './file-filter.ts'
import { pathOf } from './items.ts'
import { planPage, type Step } from './plan-page.ts'
import type { RunContext } from './run-sync.ts'
import { isCanceled, settingsOf, updateRun } from './runs.ts'

const PAGE_ITEMS = 200
/** Entries that a report names; its counts know them all. */
const ENTRIES_MAX = 1000

type Action = 'create' | 'update' | 'delete' | 'skip' | 'fail'
type Entry = { path: string; action: Action; reason?: string }

/** Lists the source and tells what a run would do; nothing is fetched, and nothing but the report is written. */
export async function dryRun(context: RunContext): Promise<void> {
  const { deps, scope, job, sync, run, connection, signal } = context
  const settings = settingsOf(sync)
  const report = new Report()
  const source = await openConnection(deps, connection)
  const deletes = settings.deletion_policy === 'delete' && !source.cursor
  /** Known items that were listed, where that tells which have vanished. */
  const seen = new Set<string>()
  let discovered = 0
  let canceled = false
  try {
    const plan = {
      sync,
      run,
      provider_type: connection.provider_type,
      filter: createFileFilter(settings.file_filters),
    }
    const options = { signal, page_size: settings.batch_size, cursor: sync.list_cursor }
    for await (const page of pagesOf(source.list(sync.source_path, options), PAGE_ITEMS)) {
      signal.throwIfAborted()
      canceled = await isCanceled(deps.db, run)
      if (canceled) break
      for (const step of await planPage(deps.db, plan, page)) {
        if (deletes && step.action !== 'create') seen.add(step.hash)
        if (step.action === 'fault') report.faults++
        report.add(entryOf(step, deps.limits.file_bytes_max))
        discovered++
      }
      if (discovered > deps.limits.listed_max)
        throw new KuraError('source_listing_endless', { limit: deps.limits.listed_max })
    }
  } finally {
    await source.close()
  }
  if (deletes && !canceled && report.faults === 0) await addVanished(context, seen, report)
  await inTransaction(deps.db, async (trx) => {
    await deps.queue.complete(trx, job)
    const change = { counts: JSON.stringify(report.counts), report: JSON.stringify(report.entries) }
    const status = canceled ? 'CANCELED' : 'COMPLETED'
    await updateRun(trx, run, { ...change, status, ended_at: timestamp() })
    const outputs = [report.counts, ...report.entries]
    await deps.effects.updateTask(trx, scope, run.task_id, { status: 'COMPLETED', outputs })
  })
}

class Report {
  readonly counts: Record<Action, number> = { create: 0, update: 0, delete: 0, skip: 0, fail: 0 }
  readonly entries: Entry[] = []
  faults = 0

  add(entry: Entry): void {
    this.counts[entry.action]++
    if (this.entries.length < ENTRIES_MAX) this.entries.push(entry)
  }
}

function entryOf(step: Step, limit_bytes: number): Entry {
  const { item } = step
  const path = pathOf(item)
  if (item.kind === 'fault') return { path, action: 'fail', reason: item.error.message }
  switch (step.action) {
    case 'create':
    case 'update': {
      const isLarge = isTooLarge(item, limit_bytes)
      const reason = isLarge ? `The file is over the limit of ${limit_bytes} bytes.` : undefined
      return reason ? { path, action: 'fail', reason } : { path, action: step.action }
    }
    case 'parked':
      return { path, action: 'fail', reason: `Parked: ${step.reason}` }
    case 'filtered':
      return { path, action: 'skip', reason: step.reason }
    default:
      return { path, action: 'skip', reason: 'unchanged' }
  }
}

const isTooLarge = (item: SourceItem, limit_bytes: number) =>
  item.kind === 'file' && item.size_bytes !== null && item.size_bytes > limit_bytes

/** Known items of the sync that the listing did not name. */
async function addVanished(
  { deps, sync, signal }: RunContext,
  seen: ReadonlySet<string>,
  report: Report,
): Promise<void> {
  for (let after = ''; ; ) {
    signal.throwIfAborted()
    const rows = await deps.db
      .selectFrom('sync_items')
      .select(['item_hash', 'path', 'object_id', 'owns_object'])
      .where('namespace_id', '=', sync.namespace_id)
      .where('sync_config_id', '=', sync.sync_config_id)
      .where('item_hash', '>', after)
      .orderBy('item_hash')
      .limit(PAGE_ITEMS)
      .execute()
    for (const { item_hash, path, object_id, owns_object } of rows)
      if (!seen.has(item_hash) && object_id !== null && owns_object === 1)
        report.add({ path, action: 'delete', reason: 'vanished from the source' })
    if (rows.length < PAGE_ITEMS) return
    after = rows.at(-1)!.item_hash
  }
}
