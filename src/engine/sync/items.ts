import type { Selectable } from 'kysely'
import { sha256 } from '../../core/ids.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import type { SourceItem } from '../../platform/sources/source-provider.ts'

export type ItemRow = Selectable<Schema['sync_items']>
type Place = { namespace_id: string; bucket_id: string }

/** The identity of an item in its bucket: provider and source id (contract, syncs). */
export const itemHash = (provider_type: string, source_id: string): string =>
  sha256(`${provider_type}\n${source_id.toWellFormed()}`)

/** What PostgreSQL can keep and a person can read of a path. */
export const shownPath = (path: string): string => path.replace(/\0/g, '').toWellFormed().slice(0, 2000)

/** The path of an item as it is kept; rows have none but their id. */
export const pathOf = (item: SourceItem): string =>
  shownPath(item.kind === 'row' ? item.source_id : item.path)

export async function findItems(
  db: DbOrTrx,
  { namespace_id, bucket_id }: Place,
  hashes: readonly string[],
): Promise<Map<string, ItemRow>> {
  if (hashes.length === 0) return new Map()
  const rows = await db
    .selectFrom('sync_items')
    .selectAll()
    .where('namespace_id', '=', namespace_id)
    .where('bucket_id', '=', bucket_id)
    .where('item_hash', 'in', hashes)
    .execute()
  return new Map(rows.map((row) => [row.item_hash, row]))
}

/** Writes what is known of an item now, whether it was known before or not. */
export async function saveItem(trx: Trx, row: ItemRow, known: boolean): Promise<void> {
  if (!known) {
    await trx.insertInto('sync_items').values(row).execute()
    return
  }
  const { namespace_id, bucket_id, item_hash, ...change } = row
  await trx
    .updateTable('sync_items')
    .set(change)
    .where('namespace_id', '=', namespace_id)
    .where('bucket_id', '=', bucket_id)
    .where('item_hash', '=', item_hash)
    .execute()
}

/**
 * Marks known items as listed by a run; the sync that lists an item last is the one that may miss it. An
 * item of another sync takes the path by which this one knows it, and counts as taken by none of its runs.
 */
export async function touchItems(
  trx: Trx,
  { namespace_id, bucket_id, sync_config_id }: Place & { sync_config_id: string },
  listed: readonly { hash: string; item: SourceItem }[],
  { seen_run }: { seen_run: number },
): Promise<void> {
  if (listed.length === 0) return
  const touched = trx
    .updateTable('sync_items')
    .set({ seen_run })
    .where('namespace_id', '=', namespace_id)
    .where('bucket_id', '=', bucket_id)
  const hashes = listed.map(({ hash }) => hash)
  await touched.where('item_hash', 'in', hashes).where('sync_config_id', '=', sync_config_id).execute()
  const known = await findItems(trx, { namespace_id, bucket_id }, hashes)
  for (const { hash, item } of listed)
    if ((known.get(hash)?.sync_config_id ?? sync_config_id) !== sync_config_id)
      await touched
        .set({ sync_config_id, path: pathOf(item), run_number: 0 })
        .where('item_hash', '=', hash)
        .execute()
}

/** Items of a sync that a run did not list, those that are missed longest first. */
export function unseenItems(
  db: DbOrTrx,
  { namespace_id, sync_config_id }: { namespace_id: string; sync_config_id: string },
  { before_run, limit }: { before_run: number; limit: number },
): Promise<ItemRow[]> {
  return db
    .selectFrom('sync_items')
    .selectAll()
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .where('seen_run', '<', before_run)
    .orderBy('seen_run')
    .limit(limit)
    .execute()
}

/** Forgets an item as it was read; false when a sync has listed or written it since. */
export async function forgetItem(
  trx: Trx,
  { namespace_id, bucket_id, item_hash, sync_config_id, seen_run }: ItemRow,
): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('sync_items')
    .where('namespace_id', '=', namespace_id)
    .where('bucket_id', '=', bucket_id)
    .where('item_hash', '=', item_hash)
    .where('sync_config_id', '=', sync_config_id)
    .where('seen_run', '=', seen_run)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

/** Forgets the parts of the source that could not be listed before and were not met again; nothing hides there now. */
export async function forgetFaults(
  trx: Trx,
  { namespace_id, sync_config_id }: { namespace_id: string; sync_config_id: string },
  { before_run }: { before_run: number },
): Promise<void> {
  await trx
    .deleteFrom('sync_items')
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .where('state', '=', 'failed')
    // Only faults have no version.
    .where('version', '=', '')
    .where('object_id', 'is', null)
    .where('run_number', '<', before_run)
    .execute()
}

/** Another item that stands for the same object; locked, so that two removals see each other. */
export async function otherItemOf(
  trx: Trx,
  { namespace_id, object_id, item_hash }: ItemRow,
): Promise<ItemRow | undefined> {
  const query = trx
    .selectFrom('sync_items')
    .selectAll()
    .where('namespace_id', '=', namespace_id)
    .where('object_id', '=', object_id)
    .where('item_hash', '<>', item_hash)
    .orderBy('item_hash')
    .limit(1)
  return (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
}

/** Items whose objects no batch holds yet. */
export function itemsToBatch(
  db: DbOrTrx,
  { namespace_id, sync_config_id }: { namespace_id: string; sync_config_id: string },
  limit: number,
): Promise<{ item_hash: string; object_id: string | null; bucket_id: string }[]> {
  return db
    .selectFrom('sync_items')
    .select(['item_hash', 'object_id', 'bucket_id'])
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .where('needs_batch', '=', 1)
    .orderBy('item_hash')
    .limit(limit)
    .execute()
}

export async function markBatched(
  trx: Trx,
  { namespace_id, bucket_id }: Place,
  hashes: readonly string[],
): Promise<void> {
  await trx
    .updateTable('sync_items')
    .set({ needs_batch: 0 })
    .where('namespace_id', '=', namespace_id)
    .where('bucket_id', '=', bucket_id)
    .where('item_hash', 'in', hashes)
    .execute()
}

/** How many items of a sync wait for their batch, or are parked. */
export async function countItems(
  db: DbOrTrx,
  { namespace_id, sync_config_id }: { namespace_id: string; sync_config_id: string },
  what: { state: string } | { needs_batch: 1 },
): Promise<number> {
  let rows = db
    .selectFrom('sync_items')
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
  rows = 'state' in what ? rows.where('state', '=', what.state) : rows.where('needs_batch', '=', 1)
  const { total } = await rows.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return Number(total)
}
