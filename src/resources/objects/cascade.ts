import type { Scope } from '../../core/scope.ts'
import { removeDocuments, withDescendants } from '../../engine/ingest/remove-documents.ts'
import type { Trx } from '../../platform/db/db.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'

/** Removes the documents made from an object, of all tiers, with their vectors, texts and files. */
export async function removeDocumentsOf(
  trx: Trx,
  scope: Scope,
  files: Files,
  object_id: string,
): Promise<OrphanedFile[]> {
  const documents = await trx
    .selectFrom('documents')
    .select(['document_id', 'document_seq', 'collection_id'])
    .where('namespace_id', '=', scope.namespaceId)
    .where('root_object_id', '=', object_id)
    .execute()
  const all = await withDescendants(trx, scope, documents)
  return (await removeDocuments(trx, scope, files, all)).orphans
}
