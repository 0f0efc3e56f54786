import { newId } from '../../src/core/ids.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { timestamp } from '../../src/core/time.ts'
import type { Db } from '../../src/platform/db/db.ts'

type Options = {
  namespace_id: string
  collection_id: string
  payload?: JsonObject
  document_id?: string
  created_at?: string
  internal?: JsonObject
  document_blobs?: JsonObject[]
  root_object_id?: string
  root_bucket_id?: string
  source_document_id?: string
}

/** A document as the engine writes it, and one more in the count of its collection. */
export async function makeDocument(
  db: Db,
  { payload = {}, internal = {}, document_blobs = [], ...options }: Options,
): Promise<{ document_id: string; document_seq: number }> {
  const now = timestamp()
  const { namespace_id, collection_id, document_id = newId.document(), created_at = now } = options
  const { document_seq } = await db
    .insertInto('documents')
    .values({
      namespace_id,
      collection_id,
      document_id,
      row_key: document_id,
      batch_id: null,
      root_object_id: options.root_object_id ?? null,
      root_bucket_id: options.root_bucket_id ?? null,
      source_document_id: options.source_document_id ?? null,
      created_at,
      updated_at: now,
      payload: JSON.stringify(payload),
      internal: JSON.stringify(internal),
      document_blobs: JSON.stringify(document_blobs),
    })
    .returning('document_seq')
    .executeTakeFirstOrThrow()
  await db
    .updateTable('collections')
    .set((eb) => ({ document_count: eb('document_count', '+', 1) }))
    .where('namespace_id', '=', namespace_id)
    .where('collection_id', '=', collection_id)
    .execute()
  return { document_id, document_seq }
}
