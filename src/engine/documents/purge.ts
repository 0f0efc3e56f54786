import type { Scope } from '../../core/scope.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import { deleteVectors } from '../../platform/vectors/vector-store.ts'

/** Documents removed in one transaction, so that no writer waits long. */
const PURGE_ROWS = 500

type Removed = { document_seq: number; document_id: string }

/**
 * Removes documents with their vectors, texts and files, in the caller's transaction. Counters of
 * the collection are the caller's affair. Hand the result to `files.deleteBytes` after the commit.
 */
export async function removeDocuments(
  trx: Trx,
  files: Pick<Files, 'release'>,
  scope: Scope,
  documents: readonly Removed[],
): Promise<OrphanedFile[]> {
  if (documents.length === 0) return []
  const document_seqs = documents.map(({ document_seq }) => document_seq)
  const document_ids = documents.map(({ document_id }) => document_id)
  await trx
    .deleteFrom('documents')
    .where('namespace_id', '=', scope.namespaceId)
    .where('document_seq', 'in', document_seqs)
    .execute()
  const orphans = await files.release(trx, scope, 'document', document_ids)
  await deleteVectors(trx, document_seqs)
  return orphans
}

/**
 * Removes all documents of a collection whose record is gone, part by part, until none is left or
 * the signal aborts.
 */
export async function purgeDocuments(
  { db, files }: { db: Db; files: Files },
  scope: Scope,
  {
    collection_id,
    collection_seq,
    signal,
  }: { collection_id: string; collection_seq: number; signal: AbortSignal },
): Promise<{ removed: number; isDone: boolean }> {
  let removed = 0
  while (!signal.aborted) {
    const { count, orphans } = await inTransaction(db, async (trx) => {
      const part = await trx
        .selectFrom('documents')
        .select(['document_seq', 'document_id'])
        .where('namespace_id', '=', scope.namespaceId)
        .where('collection_id', '=', collection_id)
        .limit(PURGE_ROWS)
        .execute()
      if (part.length === 0)
        await trx.deleteFrom('lexical_indexes').where('collection_seq', '=', collection_seq).execute()
      return { count: part.length, orphans: await removeDocuments(trx, files, scope, part) }
    })
    await files.deleteBytes(orphans)
    if (count === 0) return { removed, isDone: true }
    removed += count
  }
  return { removed, isDone: false }
}
