import { type Insertable, type Selectable, sql, type Updateable } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { BatchSnapshot } from '../../engine/ingest/snapshot.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import { inParts } from '../../platform/derived-index/parts.ts'

export type BatchRow = Omit<Selectable<Schema['batches']>, 'snapshot'>

export const COLUMNS = [
  'namespace_id',
  'batch_id',
  'bucket_id',
  'type',
  'status',
  'task_id',
  'object_count',
  'current_tier',
  'total_tiers',
  'error',
  'created_at',
  'updated_at',
  'submitted_at',
  'completed_at',
  'rerun_since',
  'priority',
  'progress_at',
  'collection_ids',
  'dag_tiers',
  'internal_metadata',
  'metadata',
] as const

/** The batch; `bucket_id` given: only if it is one of that bucket. Throws `batch_not_found`. */
export async function findBatch(
  db: DbOrTrx,
  { namespaceId }: Scope,
  { batch_id, bucket_id }: { batch_id: string; bucket_id?: string | undefined },
  { lock = false } = {},
): Promise<BatchRow> {
  let query = db
    .selectFrom('batches')
    .select(COLUMNS)
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
  if (bucket_id !== undefined) query = query.where('bucket_id', '=', bucket_id)
  const row = await (lock && dialect(db) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
  if (!row) throw new KuraError('batch_not_found', { resource: 'batch', id: batch_id })
  return row
}

export async function insertBatch(trx: Trx, row: Insertable<Schema['batches']>): Promise<void> {
  await trx.insertInto('batches').values(row).execute()
}

export async function updateBatch(
  trx: Trx,
  { namespaceId }: Scope,
  batch_id: string,
  change: Updateable<Schema['batches']>,
): Promise<void> {
  await trx
    .updateTable('batches')
    .set({ updated_at: timestamp(), ...change })
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .execute()
}

/** What a submitted batch runs. */
export async function readSnapshot(
  db: DbOrTrx,
  { namespaceId }: Scope,
  batch_id: string,
): Promise<BatchSnapshot> {
  const { snapshot } = await db
    .selectFrom('batches')
    .select('snapshot')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .executeTakeFirstOrThrow()
  return JSON.parse(snapshot!) as BatchSnapshot
}

/** Appends objects that the batch does not hold yet; returns how many. */
export async function addObjects(
  trx: Trx,
  { namespaceId }: Scope,
  batch_id: string,
  object_ids: readonly string[],
  first_position: number,
): Promise<number> {
  let position = first_position
  let added = 0
  for (const ids of inParts([...new Set(object_ids)])) {
    const rows = ids.map((object_id) => ({
      namespace_id: namespaceId,
      batch_id,
      position: position++,
      object_id,
    }))
    const { numInsertedOrUpdatedRows } = await trx
      .insertInto('batch_objects')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['namespace_id', 'batch_id', 'object_id']).doNothing())
      .executeTakeFirstOrThrow()
    added += Number(numInsertedOrUpdatedRows)
  }
  return added
}

/** The position after the last object of a batch. */
export async function nextPosition(trx: Trx, { namespaceId }: Scope, batch_id: string): Promise<number> {
  const { last } = await trx
    .selectFrom('batch_objects')
    .select(sql<number | null>`max(position)`.as('last'))
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .executeTakeFirstOrThrow()
  return last === null ? 0 : Number(last) + 1
}

/** Missing objects that an error names. */
const MISSING_MAX = 20

/** Throws `objects_not_found` unless all ids are objects of the bucket. */
export async function requireObjects(
  db: DbOrTrx,
  scope: Scope,
  bucket_id: string,
  object_ids: readonly string[],
): Promise<void> {
  const missing = await missingObjects(db, scope, bucket_id, object_ids)
  if (missing.length === 0) return
  throw new KuraError('objects_not_found', {
    resource: 'object',
    missing_object_ids: missing.slice(0, MISSING_MAX),
  })
}

async function missingObjects(
  db: DbOrTrx,
  { namespaceId }: Scope,
  bucket_id: string,
  object_ids: readonly string[],
): Promise<string[]> {
  const missing: string[] = []
  for (const ids of inParts([...new Set(object_ids)])) {
    const rows = await db
      .selectFrom('objects')
      // With what an index of the bucket holds alone SQLite would walk through all objects for each part of
      // the ids. `error` is in none, so each id is looked up; and the bucket is compared below.
      .select(['object_id', 'bucket_id', 'error'])
      .where('namespace_id', '=', namespaceId)
      .where('object_id', 'in', ids)
      .execute()
    const own = rows.filter((row) => row.bucket_id === bucket_id)
    const found = new Set(own.map(({ object_id }) => object_id))
    missing.push(...ids.filter((id) => !found.has(id)))
  }
  return missing
}

/** The first objects of each batch, in order. */
export async function objectIds(
  db: DbOrTrx,
  { namespaceId }: Scope,
  batch_id: string,
  limit: number,
): Promise<string[]> {
  const rows = await db
    .selectFrom('batch_objects')
    .select('object_id')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .orderBy('position')
    .limit(limit)
    .execute()
  return rows.map(({ object_id }) => object_id)
}

/** Changes the state of all objects of a batch that are in one of `from`. */
export async function setObjectStatuses(
  trx: Trx,
  { namespaceId }: Scope,
  batch_id: string,
  { from, to, unchanged_since = null }: { from?: string[]; to: string; unchanged_since?: string | null },
): Promise<void> {
  const held = trx
    .selectFrom('objects')
    .select('object_id')
    .where('namespace_id', '=', namespaceId)
    .where('object_id', 'in', (eb) =>
      eb
        .selectFrom('batch_objects')
        .select('object_id')
        .where('namespace_id', '=', namespaceId)
        .where('batch_id', '=', batch_id),
    )
  // Batches may share objects: all take them in one order, so that none of two waits for the other.
  const chosen = dialect(trx) === 'postgres' ? held.orderBy('object_id').forUpdate() : held
  let query = trx
    .updateTable('objects')
    .set({ status: to, error: null })
    .where('namespace_id', '=', namespaceId)
    .where('object_id', 'in', chosen)
  if (from) query = query.where('status', 'in', from)
  if (unchanged_since !== null) query = query.where('updated_at', '<=', unchanged_since)
  await query.execute()
}

/** Gives the jobs of a batch that wait another priority; those that run take the batch's for what follows them. */
export async function setJobPriority(
  trx: Trx,
  { namespaceId }: Scope,
  batch_id: string,
  priority: number,
): Promise<void> {
  await trx
    .updateTable('jobs')
    .set({ priority })
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('status', 'in', ['queued', 'delayed'])
    .execute()
}

/**
 * What belongs to one batch. Its running jobs end by themselves: their transactions hold the job and wait
 * for the batch, so taking them here, in the other order, could deadlock.
 */
const TABLES = [
  'batch_objects',
  'batch_tier_collections',
  'batch_tiers',
  'batch_logs',
  'row_failures',
  'batches',
] as const

export async function deleteBatch(trx: Trx, { namespaceId }: Scope, batch_id: string): Promise<void> {
  for (const table of TABLES)
    await trx
      .deleteFrom(table as 'batches')
      .where('namespace_id', '=', namespaceId)
      .where('batch_id', '=', batch_id)
      .execute()
}
