import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import { inParts } from '../../platform/derived-index/parts.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import { deleteText } from '../../platform/lexical/lexical-store.ts'
import { deleteVectors } from '../../platform/vectors/vector-store.ts'

export type RemovedDocument = { document_id: string; document_seq: number; collection_id: string }

/** How many documents left each collection; files whose bytes can go after the commit. */
export type Removal = { by_collection: Map<string, number>; orphans: OrphanedFile[] }

/** Documents made from these, directly or over several tiers, and the documents themselves. */
export async function withDescendants(
  db: DbOrTrx,
  { namespaceId }: Scope,
  documents: readonly RemovedDocument[],
): Promise<RemovedDocument[]> {
  const found = new Map(documents.map((one) => [one.document_id, one]))
  let parents = [...found.keys()]
  // Documents only derive from older ones, so every round finds fewer tiers below it.
  while (parents.length > 0) {
    const children: string[] = []
    for (const ids of inParts(parents)) {
      const rows = await db
        .selectFrom('documents')
        .select(['document_id', 'document_seq', 'collection_id'])
        .where('namespace_id', '=', namespaceId)
        .where('source_document_id', 'in', ids)
        .execute()
      for (const row of rows) {
        if (found.has(row.document_id)) continue
        found.set(row.document_id, row)
        children.push(row.document_id)
      }
    }
    parents = children
  }
  return [...found.values()]
}

/** Deletes rows, vectors, searchable text and files of documents and counts them out of their collections. */
export async function removeDocuments(
  trx: Trx,
  scope: Scope,
  files: Pick<Files, 'release'>,
  documents: readonly RemovedDocument[],
): Promise<Removal> {
  const by_collection = new Map<string, number>()
  if (documents.length === 0) return { by_collection, orphans: [] }
  const ids = documents.map(({ document_id }) => document_id).sort()
  for (const some of inParts(ids)) {
    const removed = await trx
      .deleteFrom('documents')
      .where('namespace_id', '=', scope.namespaceId)
      .where('document_id', 'in', some)
      .returning('collection_id')
      .execute()
    // Only those: another transaction may have removed, and counted, the rest since they were found.
    for (const { collection_id } of removed)
      by_collection.set(collection_id, (by_collection.get(collection_id) ?? 0) + 1)
  }
  const orphans = await files.release(trx, scope, 'document', ids)
  await changeDocumentCounts(trx, scope, new Map([...by_collection].map(([id, count]) => [id, -count])))
  const seqs = documents.map(({ document_seq }) => document_seq)
  await deleteVectors(trx, seqs)
  await deleteText(trx, seqs)
  return { by_collection, orphans }
}

/** Adds to the document counts of collections, in the order of their ids: concurrent writers then never deadlock. */
export async function changeDocumentCounts(
  trx: Trx,
  { namespaceId }: Scope,
  changes: ReadonlyMap<string, number>,
): Promise<void> {
  for (const [collection_id, by] of [...changes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (by === 0) continue
    await trx
      .updateTable('collections')
      .set((eb) => ({ document_count: eb('document_count', '+', by) }))
      .where('namespace_id', '=', namespaceId)
      .where('collection_id', '=', collection_id)
      .execute()
  }
}
