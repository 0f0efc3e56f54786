import type { Selectable, Updateable } from 'kysely'
import { omitNulls } from '../../core/json.ts'
import { decodeCursor, encodeCursor, type PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp, toTimestamp } from '../../core/time.ts'
import { type Db, type DbOrTrx, dialect, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import type { Item } from './item.ts'
import type { ListEventsQuery, SourceEvent } from './schemas.ts'

export type EventRow = Selectable<Schema['source_adapter_events']>
type Place = { namespaceId: string; bucket_id: string }

/** Rows of one insert. */
const INSERT_ROWS_MAX = 500

/** Keeps items that were not here before; returns their keys. */
export async function insertEvents(
  trx: Trx,
  { namespaceId }: Scope,
  bucket_id: string,
  items: readonly Item[],
): Promise<string[]> {
  const received_at = timestamp()
  const keys: string[] = []
  const rows = items.map((item) => ({
    namespace_id: namespaceId,
    bucket_id,
    event_key: item.event_key,
    event_id: item.event_id,
    action: item.action,
    source_key: item.source_key,
    sequencer: item.sequencer,
    status: 'pending' as const,
    attempt_count: 0,
    object_id: null,
    error: null,
    item: JSON.stringify({ fields: item.fields, blobs: item.blobs }),
    received_at,
    updated_at: received_at,
  }))
  for (let start = 0; start < rows.length; start += INSERT_ROWS_MAX) {
    const inserted = await trx
      .insertInto('source_adapter_events')
      .values(rows.slice(start, start + INSERT_ROWS_MAX))
      .onConflict((conflict) => conflict.columns(['namespace_id', 'bucket_id', 'event_key']).doNothing())
      .returning('event_key')
      .execute()
    keys.push(...inserted.map(({ event_key }) => event_key))
  }
  return keys
}

export function findEvent(
  db: DbOrTrx,
  { namespaceId, bucket_id }: Place,
  event_key: string,
): Promise<EventRow | undefined> {
  return db
    .selectFrom('source_adapter_events')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .where('event_key', '=', event_key)
    .executeTakeFirst()
}

type EventChange = Updateable<
  Pick<Schema['source_adapter_events'], 'status' | 'attempt_count' | 'object_id' | 'error' | 'item'>
>

/** Changes an event that has the status which the caller saw; false: somebody else was faster. */
export async function updateEvent(
  db: DbOrTrx,
  { namespaceId, bucket_id }: Place,
  { event_key, status }: Pick<EventRow, 'event_key' | 'status'>,
  change: EventChange,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('source_adapter_events')
    .set({ ...change, updated_at: timestamp() })
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .where('event_key', '=', event_key)
    .where('status', '=', status)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** One page of the log, newest first. */
export async function listEvents(
  db: DbOrTrx,
  { namespaceId, bucket_id }: Place,
  { query, page }: { query: ListEventsQuery; page: PageRequest },
): Promise<{ rows: EventRow[]; next_cursor: string | null }> {
  const identity = { bucket_id, ...query }
  let select = db
    .selectFrom('source_adapter_events')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
  if (query.status) select = select.where('status', '=', query.status)
  if (page.cursor === null) select = select.offset(page.offset)
  else {
    const { keys, id } = decodeCursor(page.cursor, identity)
    const received_at = String(keys[0])
    select = select.where((eb) =>
      eb.or([
        eb('received_at', '<', received_at),
        eb.and([eb('received_at', '=', received_at), eb('event_key', '>', id)]),
      ]),
    )
  }
  const found = await select
    .orderBy('received_at', 'desc')
    .orderBy('event_key')
    .limit(page.limit + 1)
    .execute()
  const rows = found.slice(0, page.limit)
  const last = rows.at(-1)
  const next_cursor =
    last && found.length > page.limit
      ? encodeCursor({ keys: [last.received_at], id: last.event_key }, identity)
      : null
  return { rows, next_cursor }
}

/** An event as the log shows it. */
export function presentEvent(row: EventRow): SourceEvent {
  const { namespace_id: _n, bucket_id: _b, item: _i, sequencer: _s, ...shown } = row
  return omitNulls(shown) as SourceEvent
}

/** The object that a thing of the source became; the row is held until the transaction ends. */
export async function lockSource(
  trx: Trx,
  { namespaceId, bucket_id }: Place,
  source_key: string,
): Promise<{ object_id: string | null; sequencer: string | null }> {
  await trx
    .insertInto('source_adapter_objects')
    .values({
      namespace_id: namespaceId,
      bucket_id,
      source_key,
      object_id: null,
      sequencer: null,
      updated_at: timestamp(),
    })
    .onConflict((conflict) => conflict.columns(['namespace_id', 'bucket_id', 'source_key']).doNothing())
    .execute()
  const query = trx
    .selectFrom('source_adapter_objects')
    .select(['object_id', 'sequencer'])
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .where('source_key', '=', source_key)
  return (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirstOrThrow()
}

export async function updateSource(
  trx: Trx,
  { namespaceId, bucket_id }: Place,
  source_key: string,
  change: { object_id: string | null; sequencer: string | null },
): Promise<void> {
  await trx
    .updateTable('source_adapter_objects')
    .set({ ...change, updated_at: timestamp() })
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .where('source_key', '=', source_key)
    .execute()
}

/** Events are known again for this long. */
const KEPT_MS = 30 * 86_400_000
const SLICE_ROWS = 1000

/** Removes events that have had their time, in slices. Returns how many. */
export async function purgeSourceEvents(db: Db): Promise<number> {
  const cutoff = toTimestamp(Date.now() - KEPT_MS)
  let purged = 0
  for (;;) {
    const count = await inTransaction(db, async (trx) => {
      const old = await trx
        .selectFrom('source_adapter_events')
        .select(['namespace_id', 'bucket_id', 'event_key'])
        .where('received_at', '<', cutoff)
        .where('status', '!=', 'pending')
        .limit(SLICE_ROWS)
        .execute()
      for (const { namespace_id, bucket_id, event_key } of old)
        await trx
          .deleteFrom('source_adapter_events')
          .where('namespace_id', '=', namespace_id)
          .where('bucket_id', '=', bucket_id)
          .where('event_key', '=', event_key)
          .execute()
      return old.length
    })
    purged += count
    if (count < SLICE_ROWS) return purged
  }
}
