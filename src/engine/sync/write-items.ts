import { type KuraError, ValidationError } from '../../core/errors.ts'
import { timestamp } from '../../core/time.ts'
import type { SourceItem } from '../../platform/sources/source-provider.ts'
import type { SyncWriter, WriteOutcome } from './deps.ts'
import { type Fetched, isTransient } from './fetch-item.ts'
import { findItems, type ItemRow, otherItemOf, pathOf, saveItem } from './items.ts'
import type { RunCounts, RunRow, SyncRow } from './runs.ts'

/** An item whose fetch has ended, well or not. */
export type EndedItem = { item: SourceItem; hash: string } & ({ fetched: Fetched } | { error: KuraError })

type Place = { sync: SyncRow; run: RunRow; provider_type: string }
type Known = ItemRow | undefined

/**
 * Writes objects and what is known of their items in one transaction, so that a crash leaves both or
 * neither. Returns what to add to the counts of the run.
 */
export async function writeItems(
  writer: SyncWriter,
  place: Place,
  ended: readonly EndedItem[],
): Promise<Partial<RunCounts>> {
  const known = await findItems(
    writer.trx,
    place.sync,
    ended.map(({ hash }) => hash),
  )
  const outcomes = new Map<EndedItem, WriteOutcome>()
  const fresh: (EndedItem & { fetched: Fetched })[] = []
  for (const one of ended) {
    if ('error' in one) outcomes.set(one, { error: one.error })
    else {
      const updated = await updateOwn(writer, known.get(one.hash), one.fetched)
      if (updated) outcomes.set(one, updated)
      else fresh.push(one)
    }
  }
  const created = await writer.create(fresh.map(({ fetched }) => fetched.prepared))
  for (const [i, one] of fresh.entries()) outcomes.set(one, created[i]!)
  const counts = { created: 0, updated: 0, duplicates: 0, failed: 0, bytes: 0 }
  for (const one of ended) await settle(writer, place, one, known.get(one.hash), outcomes.get(one)!, counts)
  return counts
}

/** The object of the item, changed in place; null when a new one is needed. */
async function updateOwn(
  writer: SyncWriter,
  row: Known,
  { prepared }: Fetched,
): Promise<WriteOutcome | null> {
  if (!row?.object_id || !row.owns_object) return null
  const other = await otherItemOf(writer.trx, row)
  if (!other) return writer.update(row.object_id, prepared)
  // Another file with the old content stands for the object too: it stays as it is, and goes to that one.
  await saveItem(writer.trx, { ...other, owns_object: 1 }, true)
  return null
}

async function settle(
  { trx }: SyncWriter,
  { sync, run, provider_type }: Place,
  one: EndedItem,
  row: Known,
  outcome: WriteOutcome,
  counts: { created: number; updated: number; duplicates: number; failed: number; bytes: number },
): Promise<void> {
  const { item, hash } = one
  const base: ItemRow = {
    namespace_id: sync.namespace_id,
    bucket_id: sync.bucket_id,
    item_hash: hash,
    sync_config_id: sync.sync_config_id,
    provider_type,
    path: pathOf(item),
    version: versionOf(one),
    object_id: row?.object_id ?? null,
    owns_object: row?.owns_object ?? 0,
    state: 'synced',
    error_code: null,
    error: null,
    is_transient: 0,
    size_bytes: row?.size_bytes ?? 0,
    run_number: run.run_number,
    seen_run: run.run_number,
    needs_batch: row?.needs_batch ?? 0,
    updated_at: timestamp(),
  }
  if ('error' in outcome) {
    const { error } = outcome
    counts.failed++
    const parked = {
      state: 'failed',
      error_code: error.code,
      error: reasonOf(error),
      is_transient: isTransient(error) ? 1 : 0,
    }
    return saveItem(trx, { ...base, ...parked }, row !== undefined)
  }
  const { object, how } = outcome
  const isOwn =
    how === 'created' || (how === 'updated' && row?.object_id === object.object_id && row.owns_object === 1)
  counts[how === 'unchanged' ? 'duplicates' : how]++
  if (how !== 'unchanged') counts.bytes += object.size_bytes
  const change = {
    object_id: object.object_id,
    owns_object: isOwn ? 1 : 0,
    size_bytes: object.size_bytes,
    needs_batch: how === 'unchanged' ? base.needs_batch : 1,
  }
  await saveItem(trx, { ...base, ...change }, row !== undefined)
}

/** The version that was read; a fault has none and is looked at again with every run. */
function versionOf(one: EndedItem): string {
  if ('fetched' in one) return one.fetched.version
  return one.item.kind === 'fault' ? '' : one.item.version
}

/** The bare "Validation error" tells nothing without its list. */
export function reasonOf(error: KuraError): string {
  if (!(error instanceof ValidationError)) return error.message.slice(0, 1000)
  const violations = error.violations.map(({ loc, msg }) => `${loc.slice(1).join('.') || 'object'}: ${msg}`)
  return [error.message, ...violations].join(' ').slice(0, 1000)
}
