import type { Scope } from '../../core/scope.ts'
import { type Db, inTransaction } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import { dropCollectionText } from '../../platform/lexical/lexical-store.ts'
import { removeDocuments } from '../ingest/remove-documents.ts'

/** Documents removed in one transaction, so that no writer waits long. */
const PURGE_ROWS = 500

type Purge = { collection_id: string; collection_seq: number; signal: AbortSignal }

/**
 * Removes all documents of a collection whose record is gone, part by part, until none is left or
 * the signal aborts. Running it again goes on where it stopped.
 */
export async function purgeDocuments(
  { db, files }: { db: Db; files: Files },
  scope: Scope,
  { collection_id, collection_seq, signal }: Purge,
): Promise<{ removed: number; isDone: boolean }> {
  let removed = 0
  while (!signal.aborted) {
    const { count, orphans } = await inTransaction(db, async (trx) => {
      const part = await trx
        .selectFrom('documents')
        .select(['document_seq', 'document_id', 'collection_id'])
        .where('namespace_id', '=', scope.namespaceId)
        .where('collection_id', '=', collection_id)
        .limit(PURGE_ROWS)
        .execute()
      if (part.length === 0) {
        await dropCollectionText(trx, collection_seq)
        return { count: 0, orphans: [] }
      }
      const removal = await removeDocuments(trx, scope, files, part)
      return { count: part.length, orphans: removal.orphans }
    })
    await files.deleteBytes(orphans)
    if (count === 0) return { removed, isDone: true }
    removed += count
  }
  return { removed, isDone: false }
}
