import type { CollectionConfig } from '../../core/collections/config.ts'
import type { Scope } from '../../core/scope.ts'
import type { Db } from '../../platform/db/db.ts'
import type { PlanCursor } from './payloads.ts'
import { loadDocuments, loadObjects } from './rows.ts'
import type { RunningBatch } from './snapshot.ts'
import { type SourceFilter, sourceFilter } from './source-filter.ts'
import { sourcesInBatch } from './tiers.ts'

/** Rows that one step of planning looks at; bounds the jobs that wait and how long a small batch waits behind a big one. */
export const PLAN_ROWS_MAX = 1024

/** The next rows of a collection's source. */
export type Slice = {
  /** How many rows the source gave, whatever the filters said. */
  fetched: number
  /** How many rows of the batch were looked at, those of other sources too; null where nobody knew them before. */
  listed: number | null
  /** The ids of those that pass. */
  rows: string[]
  /** The objects of the slice, when its rows are objects of the batch. */
  object_ids?: string[]
  /** Where to go on, or null at the end. */
  next: PlanCursor | null
}

/** Documents of this batch, by when they were written. */
type Written = { since: string | null; before: string | null }

type Ask = { config: CollectionConfig; tier_num: number; cursor: PlanCursor | null; written: Written }

/** Reads the next slice of what a collection processes in its tier. */
export async function nextSlice(db: Db, scope: Scope, batch: RunningBatch, ask: Ask): Promise<Slice> {
  const { config, tier_num } = ask
  const filter = sourceFilter(config, tier_num === 0 ? batch.snapshot.filters : null)
  if (tier_num === 0 && batch.type === 'BUCKET') return objectSlice(db, scope, batch, ask, filter)
  return documentSlice(db, scope, batch, ask, filter)
}

async function objectSlice(
  db: Db,
  scope: Scope,
  { batch_id }: RunningBatch,
  { config, cursor }: Ask,
  filter: SourceFilter | null,
): Promise<Slice> {
  const after = Number(cursor?.after?.[0] ?? -1)
  const listed = await db
    .selectFrom('batch_objects')
    .leftJoin('objects', (join) =>
      join
        .onRef('objects.namespace_id', '=', 'batch_objects.namespace_id')
        .onRef('objects.object_id', '=', 'batch_objects.object_id'),
    )
    .select(['batch_objects.position', 'batch_objects.object_id', 'objects.bucket_id'])
    .where('batch_objects.namespace_id', '=', scope.namespaceId)
    .where('batch_objects.batch_id', '=', batch_id)
    .where('batch_objects.position', '>', after)
    .orderBy('batch_objects.position')
    .limit(PLAN_ROWS_MAX)
    .execute()
  const last = listed.at(-1)
  // A batch may hold objects of several buckets. Objects that are gone stay in: they become failed rows.
  const buckets = new Set(config.source.bucket_ids)
  const own = listed.filter(({ bucket_id }) => bucket_id === null || buckets.has(bucket_id))
  const ids = own.map(({ object_id }) => object_id)
  return {
    fetched: ids.length,
    listed: listed.length,
    object_ids: ids,
    rows: filter ? await passing(ids, filter, (some) => loadObjects(db, scope, some, batch_id)) : ids,
    next: last && listed.length === PLAN_ROWS_MAX ? { source: 0, after: [last.position] } : null,
  }
}

async function documentSlice(
  db: Db,
  scope: Scope,
  batch: RunningBatch,
  { config, cursor, tier_num, written }: Ask,
  filter: SourceFilter | null,
): Promise<Slice> {
  const { batch_id, snapshot } = batch
  const inBatch = new Map(Object.entries(snapshot.collections))
  const sources = tier_num === 0 ? (config.source.collection_ids ?? []) : sourcesInBatch(config, inBatch)
  const { source, after } = cursor ?? { source: 0, after: null }
  if (source >= sources.length) return { fetched: 0, listed: null, rows: [], next: null }
  const upstream_in_batch = tier_num > 0
  const listed = upstream_in_batch
    ? await writtenByBatch(db, scope, batch_id, sources[source]!, after, written)
    : await allDocuments(db, scope, sources[source]!, after)
  const ids = listed.map(({ document_id }) => document_id)
  const load = (some: string[]) => loadDocuments(db, scope, some, { batch_id, upstream_in_batch })
  const last = listed.at(-1)
  const isFull = listed.length === PLAN_ROWS_MAX
  return {
    fetched: ids.length,
    listed: null,
    rows: filter ? await passing(ids, filter, load) : ids,
    next:
      last && isFull
        ? { source, after: last.position }
        : source + 1 < sources.length
          ? { source: source + 1, after: null }
          : null,
  }
}

type Listed = { document_id: string; position: (string | number)[] }

/** What this batch wrote into an upstream collection, or only what a retry of it wrote. */
async function writtenByBatch(
  db: Db,
  { namespaceId }: Scope,
  batch_id: string,
  collection_id: string,
  after: PlanCursor['after'],
  { since, before }: Written,
): Promise<Listed[]> {
  let query = db
    .selectFrom('documents')
    .select(['document_id', 'document_seq'])
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('collection_id', '=', collection_id)
    .orderBy('document_seq')
    .limit(PLAN_ROWS_MAX)
  if (after) query = query.where('document_seq', '>', Number(after[0]))
  if (since !== null) query = query.where('updated_at', '>=', since)
  if (before !== null) query = query.where('updated_at', '<', before)
  const rows = await query.execute()
  return rows.map(({ document_id, document_seq }) => ({ document_id, position: [document_seq] }))
}

/** Every document of a collection, for batches that start from documents. */
async function allDocuments(
  db: Db,
  { namespaceId }: Scope,
  collection_id: string,
  after: PlanCursor['after'],
): Promise<Listed[]> {
  let query = db
    .selectFrom('documents')
    .select(['document_id', 'created_at'])
    .where('namespace_id', '=', namespaceId)
    .where('collection_id', '=', collection_id)
    .orderBy('created_at')
    .orderBy('document_id')
    .limit(PLAN_ROWS_MAX)
  if (after) {
    const [created_at, document_id] = after as [string, string]
    query = query.where((eb) =>
      eb.or([
        eb('created_at', '>', created_at),
        eb.and([eb('created_at', '=', created_at), eb('document_id', '>', document_id)]),
      ]),
    )
  }
  const rows = await query.execute()
  return rows.map(({ document_id, created_at }) => ({ document_id, position: [created_at, document_id] }))
}

async function passing(
  ids: string[],
  filter: SourceFilter,
  load: (ids: string[]) => Promise<{ row_id: string; record: Parameters<SourceFilter>[0] }[]>,
): Promise<string[]> {
  if (ids.length === 0) return []
  const loaded = new Map((await load(ids)).map((row) => [row.row_id, row.record]))
  return ids.filter((id) => {
    const record = loaded.get(id)
    // What is gone cannot be judged; it is taken along to be reported.
    return record === undefined || filter(record)
  })
}
