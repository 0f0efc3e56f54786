import type { DbOrTrx, Trx } from '../../../platform/db/db.ts'
import type { CloneContext } from './context.ts'

type Owner = 'object' | 'document'

/** The files of some objects or documents, as the snapshot has them: old file ids by old owner id. */
export async function filesOf(
  db: DbOrTrx,
  namespace_id: string,
  owner_type: Owner,
  owner_ids: readonly string[],
): Promise<Map<string, string[]>> {
  const files = new Map<string, string[]>()
  if (owner_ids.length === 0) return files
  const rows = await db
    .selectFrom('file_references')
    .select(['owner_id', 'file_id'])
    .where('namespace_id', '=', namespace_id)
    .where('owner_type', '=', owner_type)
    .where('owner_id', 'in', owner_ids)
    .execute()
  for (const { owner_id, file_id } of rows) files.set(owner_id, [...(files.get(owner_id) ?? []), file_id])
  return files
}

/**
 * Shares the files of some owners with the clone and lets their copies keep them alive. Returns the
 * owners that cannot be copied: they came after the files were shared, and were removed with their
 * bytes before it was their turn.
 */
export async function shareOwned(
  { source, target, ids, files }: CloneContext,
  trx: Trx,
  owner_type: Owner,
  owned: ReadonlyMap<string, readonly string[]>,
): Promise<Set<string>> {
  const wanted = new Set([...owned.values()].flat())
  const shared = await files.shareWith(
    trx,
    source,
    target,
    new Map([...wanted].map((file_id) => [file_id, ids.of(file_id)])),
  )
  const lost = new Set<string>()
  const references = []
  for (const [owner_id, file_ids] of owned) {
    if (!file_ids.every((file_id) => shared.has(file_id))) {
      lost.add(owner_id)
      continue
    }
    const owner = { type: owner_type, id: ids.of(owner_id) }
    for (const file_id of file_ids) references.push({ file_id: ids.of(file_id), owner })
  }
  await files.addReferences(trx, target, references)
  return lost
}
