import type { DbOrTrx } from '../../platform/db/db.ts'
import type { SourceItem } from '../../platform/sources/source-provider.ts'
import type { FileFilter } from './file-filter.ts'
import { findItems, type ItemRow, itemHash, pathOf } from './items.ts'
import type { RunRow, SyncRow } from './runs.ts'

/** What a run does about a listed item. */
export type Step = { item: SourceItem; hash: string } & (
  | { action: 'create' | 'update' | 'fault' }
  | { action: 'filtered'; reason: string }
  /** `counted`: this run took it before it was interrupted. */
  | { action: 'unchanged' | 'counted' }
  | { action: 'parked'; reason: string }
)

export type PlanContext = { sync: SyncRow; run: RunRow; provider_type: string; filter: FileFilter }

/** Compares a page of a listing with what is known. A listing that names an item twice has its first mention counted. */
export async function planPage(
  db: DbOrTrx,
  context: PlanContext,
  page: readonly SourceItem[],
): Promise<Step[]> {
  const hashed = new Map<string, SourceItem>()
  for (const item of page) {
    const hash = itemHash(context.provider_type, item.source_id)
    if (!hashed.has(hash)) hashed.set(hash, item)
  }
  const known = await findItems(db, context.sync, [...hashed.keys()])
  return [...hashed].map(([hash, item]) => ({ item, hash, ...decide(context, item, known.get(hash)) }))
}

type Decision =
  | { action: 'create' | 'update' | 'fault' | 'unchanged' | 'counted' }
  | { action: 'filtered' | 'parked'; reason: string }

function decide({ sync, run, filter }: PlanContext, item: SourceItem, row: ItemRow | undefined): Decision {
  // Runs are numbered for each sync, and the item may be known from another sync of the bucket.
  const isOwn = row?.sync_config_id === sync.sync_config_id
  if (isOwn && row.run_number === run.run_number) return { action: 'counted' }
  if (item.kind === 'fault') return { action: 'fault' }
  const left = item.kind === 'file' ? filter(item) : null
  if (left !== null) return { action: 'filtered', reason: left }
  if (!row) return { action: 'create' }
  // Another sync sees the same file under another path, if its own begins elsewhere.
  const isSame = row.version === item.version && (!isOwn || row.path === pathOf(item))
  if (isSame && row.state === 'synced') return { action: 'unchanged' }
  if (isSame && !isTriedAgain(run, row)) return { action: 'parked', reason: row.error ?? '' }
  return { action: row.object_id === null ? 'create' : 'update' }
}

/** Polls leave alone what cannot get better by itself; a person who starts a run wants to see it tried. */
const isTriedAgain = ({ started_by }: RunRow, { is_transient }: ItemRow) =>
  is_transient === 1 || started_by !== 'schedule'
