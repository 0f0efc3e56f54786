import { isObject, type JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { searchText } from '../../core/search-text.ts'
import { timestamp } from '../../core/time.ts'
import { dialect, type Trx } from '../../platform/db/db.ts'
import { deleteText, putText } from '../../platform/lexical/lexical-store.ts'
import { changeDocumentCounts } from '../ingest/remove-documents.ts'
import type { DocumentContent } from './edit.ts'
import { DOCUMENT_COLUMNS, type DocumentRecord, toDocument } from './record.ts'

/** Where a document is written; the number is that of its collection. */
type Place = { collection_id: string; collection_seq: number }

/** The document for an edit: nobody else changes it until the transaction ends. */
export async function lockDocument(
  trx: Trx,
  { namespaceId }: Scope,
  { collection_id }: Place,
  document_id: string,
): Promise<DocumentRecord | undefined> {
  const query = trx
    .selectFrom('documents')
    .select(DOCUMENT_COLUMNS)
    .where('namespace_id', '=', namespaceId)
    .where('collection_id', '=', collection_id)
    .where('document_id', '=', document_id)
  const row = await (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
  return row && toDocument(row)
}

/** Writes edited content and what keyword search finds the document by. */
export async function saveDocument(
  trx: Trx,
  scope: Scope,
  place: Place,
  { document_seq }: DocumentRecord,
  content: DocumentContent,
): Promise<void> {
  await trx
    .updateTable('documents')
    .set({ ...columnsOf(content), updated_at: timestamp() })
    .where('namespace_id', '=', scope.namespaceId)
    .where('document_seq', '=', document_seq)
    .execute()
  await writeText(trx, place, document_seq, content.payload)
}

/** Inserts a document that no batch made, and counts it in. Throws a unique violation for a known id. */
export async function insertDocument(
  trx: Trx,
  scope: Scope,
  place: Place,
  document_id: string,
  content: DocumentContent,
): Promise<number> {
  const now = timestamp()
  const { document_seq } = await trx
    .insertInto('documents')
    .values({
      namespace_id: scope.namespaceId,
      collection_id: place.collection_id,
      document_id,
      // No source row: only the document itself could make it stale.
      row_key: document_id,
      batch_id: null,
      created_at: now,
      updated_at: now,
      ...columnsOf(content),
    })
    .returning('document_seq')
    .executeTakeFirstOrThrow()
  await changeDocumentCounts(trx, scope, new Map([[place.collection_id, 1]]))
  await writeText(trx, place, document_seq, content.payload)
  return document_seq
}

/** Lineage is looked up by columns, which therefore follow what `_internal` says. */
function columnsOf({ payload, internal, document_blobs }: DocumentContent) {
  const lineage: JsonObject = isObject(internal.lineage) ? (internal.lineage as JsonObject) : {}
  const text = (name: string) => (typeof lineage[name] === 'string' ? lineage[name] : null)
  return {
    root_object_id: text('root_object_id'),
    root_bucket_id: text('root_bucket_id'),
    source_document_id: text('source_document_id'),
    payload: JSON.stringify(payload),
    internal: JSON.stringify(internal),
    document_blobs: JSON.stringify(document_blobs),
  }
}

async function writeText(
  trx: Trx,
  { collection_seq }: Place,
  document_seq: number,
  payload: JsonObject,
): Promise<void> {
  const text = searchText(payload)
  if (text === '') await deleteText(trx, [document_seq])
  else await putText(trx, collection_seq, [{ document_seq, text }])
}
