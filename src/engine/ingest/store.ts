import { sql } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import { type TaskStatus, TERMINAL_STATUSES } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'

/** One tier of one batch. */
export type TierKey = { batch_id: string; tier_num: number }

/** Counters that jobs add to, for one collection of a tier. */
export type Counters = {
  source_documents_fetched?: number
  documents_after_source_filter?: number
  documents_missing_input_fields?: number
  documents_submitted_to_engine?: number
  documents_written?: number
  rows_done?: number
  rows_failed?: number
}

/** False when the batch is gone: then there is nothing left to count. */
export async function addCounters(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: TierKey,
  collection_id: string,
  counters: Counters,
): Promise<boolean> {
  const changed = Object.entries(counters).filter(([, by]) => by !== 0) as [keyof Counters, number][]
  if (changed.length === 0) return true
  const { numUpdatedRows } = await trx
    .updateTable('batch_tier_collections')
    .set((eb) => Object.fromEntries(changed.map(([name, by]) => [name, eb(name, '+', by)])))
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .where('collection_id', '=', collection_id)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/**
 * Whether the batch still wants results; if so it has got further. The row stays locked on PostgreSQL, so that canceling waits
 * for this transaction or is seen by it. Call it before any counter is touched: all writers take the
 * locks of a batch in one order (batch, collections of the tier, tasks, tier).
 */
export async function touchBatch(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, task_id }: { batch_id: string; task_id: string },
): Promise<boolean> {
  const now = timestamp()
  const { numUpdatedRows } = await trx
    .updateTable('batches')
    .set({ updated_at: now, progress_at: now })
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    // A batch that was canceled and is retried has another task: it wants nothing of its former run.
    .where('task_id', '=', task_id)
    .where('status', 'in', ['PENDING', 'IN_PROGRESS'])
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/**
 * Adds to the open jobs of a tier and returns how many there are. On PostgreSQL its row lock is held
 * until the commit, so exactly one transaction sees 0, and it sees what all others have written.
 */
export async function addOpenJobs(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: TierKey,
  by: number,
): Promise<number> {
  const row = await trx
    .updateTable('batch_tiers')
    .set((eb) => ({ jobs_open: eb('jobs_open', '+', by) }))
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .returning('jobs_open')
    .executeTakeFirstOrThrow()
  return row.jobs_open
}

export function listTiers(db: DbOrTrx, { namespaceId }: Scope, batch_id: string) {
  return db
    .selectFrom('batch_tiers')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .orderBy('tier_num')
    .execute()
}

export function listTierCollections(db: DbOrTrx, { namespaceId }: Scope, batch_id: string) {
  return db
    .selectFrom('batch_tier_collections')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .orderBy('tier_num')
    .orderBy('position')
    .execute()
}

type TierChange = {
  status?: TaskStatus
  task_id?: string
  parent_task_id?: string | null
  jobs_open?: number
  retry_rows?: string | null
  held_jobs?: string | null
}

/** Sets when the tier ended if the new status says so. */
export async function updateTier(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: TierKey,
  change: TierChange,
): Promise<void> {
  await trx
    .updateTable('batch_tiers')
    .set({ ...change, ...endOf(change.status) })
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .execute()
}

export async function updateTierCollection(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: TierKey,
  collection_id: string,
  status: TaskStatus,
): Promise<void> {
  await trx
    .updateTable('batch_tier_collections')
    .set({ status, ...endOf(status) })
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .where('collection_id', '=', collection_id)
    .execute()
}

const endOf = (status: TaskStatus | undefined) =>
  status && (TERMINAL_STATUSES as readonly string[]).includes(status) ? { completed_at: timestamp() } : {}

/** PENDING becomes IN_PROGRESS when the first of its jobs runs; later ones change nothing. */
export async function markStarted(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: TierKey,
  collection_id: string,
): Promise<boolean> {
  const started = { status: 'IN_PROGRESS', started_at: timestamp() }
  await trx
    .updateTable('batch_tier_collections')
    .set(started)
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .where('collection_id', '=', collection_id)
    .where('status', '=', 'PENDING')
    .execute()
  const tier = await trx
    .updateTable('batch_tiers')
    .set(started)
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .where('status', '=', 'PENDING')
    .executeTakeFirst()
  await trx
    .updateTable('batches')
    .set({ status: 'IN_PROGRESS', updated_at: timestamp() })
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('status', '=', 'PENDING')
    .execute()
  return tier.numUpdatedRows === 1n
}

/** The number of a collection that its documents may be written to; it cannot be deleted until the transaction ends. */
export async function lockCollection(
  trx: Trx,
  { namespaceId }: Scope,
  collection_id: string,
): Promise<number | null> {
  const query = trx
    .selectFrom('collections')
    .select('collection_seq')
    .where('namespace_id', '=', namespaceId)
    .where('collection_id', '=', collection_id)
  // Key share: it conflicts with deleting the row, not with counters that other jobs change.
  const row = await (dialect(trx) === 'postgres' ? query.forKeyShare() : query).executeTakeFirst()
  return row?.collection_seq ?? null
}

export async function collectionExists(
  db: DbOrTrx,
  { namespaceId }: Scope,
  collection_id: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('collections')
    .select(sql<number>`1`.as('one'))
    .where('namespace_id', '=', namespaceId)
    .where('collection_id', '=', collection_id)
    .executeTakeFirst()
  return row !== undefined
}
