import { sql } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import { searchText } from '../../core/search-text.ts'
import { timestamp } from '../../core/time.ts'
import { dialect, type Trx } from '../../platform/db/db.ts'
import { inParts } from '../../platform/derived-index/parts.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import { deleteText, putText } from '../../platform/lexical/lexical-store.ts'
import {
  deleteVectors,
  ensureVectorIndex,
  putVectors,
  type VectorIndexSpec,
  type VectorWrite,
} from '../../platform/vectors/vector-store.ts'
import type { Draft } from './drafts.ts'
import {
  changeDocumentCounts,
  type RemovedDocument,
  removeDocuments,
  withDescendants,
} from './remove-documents.ts'

/** What one collection wrote from some of its rows. All documents of those rows are here: others of them are stale. */
export type DocumentWrite = {
  collection_id: string
  collection_seq: number
  batch_id: string
  row_keys: readonly string[]
  drafts: readonly Draft[]
  /** The index of each storage name that a draft has a vector for. */
  indexes: ReadonlyMap<string, VectorIndexSpec>
  files: Pick<Files, 'commit' | 'release'>
}

type Existing = RemovedDocument & { created_at: string; row_key: string }

/**
 * Replaces the documents of some rows: known ids keep their number and creation time, ids that no
 * longer come are removed with what derives from them. Returns files whose bytes can go afterwards.
 */
export async function writeDocuments(trx: Trx, scope: Scope, write: DocumentWrite): Promise<OrphanedFile[]> {
  const existing = await documentsOfRows(trx, scope, write)
  const coming = new Set(write.drafts.map(({ document_id }) => document_id))
  const stale = [...existing.values()].filter(({ document_id }) => !coming.has(document_id))
  const overwritten = [...existing.values()].filter(({ document_id }) => coming.has(document_id))
  const removal = await removeDocuments(trx, scope, write.files, await withDescendants(trx, scope, stale))
  const released = await write.files.release(
    trx,
    scope,
    'document',
    overwritten.map(({ document_id }) => document_id),
  )
  const { seqs, added } = await upsert(trx, scope, write, existing)
  for (const { document_id, files } of write.drafts)
    await write.files.commit(trx, scope, files, { type: 'document', id: document_id })
  await changeDocumentCounts(trx, scope, new Map([[write.collection_id, added]]))
  await writeVectors(trx, scope, write, seqs, overwritten)
  await writeTexts(trx, write, seqs, overwritten)
  return [...removal.orphans, ...released]
}

async function documentsOfRows(
  trx: Trx,
  { namespaceId }: Scope,
  { collection_id, row_keys }: DocumentWrite,
): Promise<Map<string, Existing>> {
  const found = new Map<string, Existing>()
  for (const keys of inParts(row_keys)) {
    const rows = await trx
      .selectFrom('documents')
      .select(['document_id', 'document_seq', 'collection_id', 'created_at', 'row_key'])
      .where('namespace_id', '=', namespaceId)
      .where('collection_id', '=', collection_id)
      .where('row_key', 'in', keys)
      .execute()
    for (const row of rows) found.set(row.document_id, row)
  }
  return found
}

/** Rows of one insert: 13 columns of 500 rows are far below SQLite's bound of 32,766 parameters. */
async function upsert(
  trx: Trx,
  { namespaceId }: Scope,
  { collection_id, batch_id, drafts }: DocumentWrite,
  existing: ReadonlyMap<string, Existing>,
): Promise<{ seqs: Map<string, number>; added: number }> {
  const seqs = new Map<string, number>()
  let added = 0
  // Sorted, so that two transactions that write the same documents wait for each other instead of deadlocking.
  const sorted = [...drafts].sort((a, b) => (a.document_id < b.document_id ? -1 : 1))
  for (const some of inParts(sorted)) {
    const rows = await trx
      .insertInto('documents')
      .values(
        some.map((draft) => {
          const now = timestamp()
          return {
            namespace_id: namespaceId,
            document_id: draft.document_id,
            collection_id,
            row_key: draft.row_key,
            batch_id,
            root_object_id: draft.root_object_id,
            root_bucket_id: draft.root_bucket_id,
            source_document_id: draft.source_document_id,
            created_at: existing.get(draft.document_id)?.created_at ?? now,
            updated_at: now,
            payload: JSON.stringify(draft.payload),
            internal: JSON.stringify(draft.internal),
            document_blobs: JSON.stringify(draft.document_blobs),
          }
        }),
      )
      .onConflict((conflict) =>
        conflict.columns(['namespace_id', 'document_id']).doUpdateSet((eb) => ({
          row_key: eb.ref('excluded.row_key'),
          batch_id: eb.ref('excluded.batch_id'),
          root_object_id: eb.ref('excluded.root_object_id'),
          root_bucket_id: eb.ref('excluded.root_bucket_id'),
          source_document_id: eb.ref('excluded.source_document_id'),
          updated_at: eb.ref('excluded.updated_at'),
          payload: eb.ref('excluded.payload'),
          internal: eb.ref('excluded.internal'),
          document_blobs: eb.ref('excluded.document_blobs'),
        })),
      )
      .returning(['document_id', 'document_seq', wasInserted(trx).as('was_inserted')])
      .execute()
    for (const { document_id, document_seq, was_inserted } of rows) {
      seqs.set(document_id, document_seq)
      if (was_inserted ?? !existing.has(document_id)) added++
    }
  }
  return { seqs, added }
}

/**
 * Whether an upsert inserted the row. Another transaction may have made or removed the document since
 * it was looked for; PostgreSQL marks only rows that were there with the transaction that replaced
 * them. SQLite has one writer, so there what was found tells: null.
 */
const wasInserted = (trx: Trx) =>
  dialect(trx) === 'postgres' ? sql<boolean | null>`xmax = 0` : sql<boolean | null>`null`

/** Last in the transaction: on PostgreSQL the writers of a namespace append to its change log one after the other. */
async function writeVectors(
  trx: Trx,
  scope: Scope,
  { collection_id, drafts, indexes }: DocumentWrite,
  seqs: ReadonlyMap<string, number>,
  overwritten: readonly Existing[],
): Promise<void> {
  const ids = new Map<string, number>()
  for (const [storage_name, spec] of indexes) {
    const { vector_index_id } = await ensureVectorIndex(trx, scope, spec)
    ids.set(storage_name, vector_index_id)
  }
  // Vectors that the document has no more; those that come again are overwritten below.
  await deleteVectors(
    trx,
    overwritten.map(({ document_seq }) => document_seq),
  )
  const vectors = drafts.flatMap((draft) =>
    Object.entries(draft.vectors).map(
      ([storage_name, vector]): VectorWrite => ({
        vector_index_id: ids.get(storage_name)!,
        document_seq: seqs.get(draft.document_id)!,
        collection_id,
        vector,
      }),
    ),
  )
  await putVectors(trx, vectors)
}

async function writeTexts(
  trx: Trx,
  { collection_seq, drafts }: DocumentWrite,
  seqs: ReadonlyMap<string, number>,
  overwritten: readonly Existing[],
): Promise<void> {
  const texts = drafts.map((draft) => ({
    document_seq: seqs.get(draft.document_id)!,
    text: searchText(draft.payload),
  }))
  const silent = new Set(texts.filter(({ text }) => text === '').map(({ document_seq }) => document_seq))
  await deleteText(
    trx,
    overwritten.map(({ document_seq }) => document_seq).filter((seq) => silent.has(seq)),
  )
  await putText(
    trx,
    collection_seq,
    texts.filter(({ text }) => text !== ''),
  )
}
