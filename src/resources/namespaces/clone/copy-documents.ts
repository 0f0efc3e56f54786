import type { Selectable } from 'kysely'
import { isObject, type JsonValue } from '../../../core/json.ts'
import { changeDocumentCounts } from '../../../engine/ingest/remove-documents.ts'
import type { Trx } from '../../../platform/db/db.ts'
import type { Schema } from '../../../platform/db/schema.ts'
import { inParts } from '../../../platform/derived-index/parts.ts'
import { putText } from '../../../platform/lexical/lexical-store.ts'
import {
  ensureVectorIndex,
  putVectors,
  readVectors,
  type VectorIndexRow,
} from '../../../platform/vectors/vector-store.ts'
import type { CloneContext } from './context.ts'
import type { CopiedCollection } from './copy-collections.ts'
import { filesOf, shareOwned } from './owned-files.ts'

/** Documents copied in one transaction, with their vectors. */
const SLICE_DOCUMENTS = 200

type Collections = ReadonlyMap<string, CopiedCollection>
type DocumentRow = Selectable<Schema['documents']>
/** An index of the source and the number of its counterpart. */
type IndexPair = { source: VectorIndexRow; target_id: number }

/** Copies the documents of the collections with vectors and searchable text. */
export async function copyDocuments(context: CloneContext, collections: Collections): Promise<void> {
  if (collections.size === 0) return
  const indexes = await copyIndexes(context)
  for (const seqs of inParts(await documentSeqs(context), SLICE_DOCUMENTS)) {
    const slice = await readSlice(context, collections, indexes, seqs)
    context.cloned.points += await context.write((trx) => insertSlice(context, trx, collections, slice))
  }
}

/** In the order in which they were made: equal scores are ranked by it. Numbers only, so a million is 8 MB. */
async function documentSeqs({ snapshot, source }: CloneContext): Promise<number[]> {
  const rows = await snapshot
    .selectFrom('documents')
    .select('document_seq')
    .where('namespace_id', '=', source.namespaceId)
    .execute()
  return rows.map(({ document_seq }) => document_seq).sort((a, b) => a - b)
}

async function copyIndexes({ snapshot, source, target, write }: CloneContext): Promise<IndexPair[]> {
  const rows = await snapshot
    .selectFrom('vector_indexes')
    .select([
      'vector_index_id',
      'storage_name',
      'feature_uri',
      'dimensions',
      'distance',
      'model_id',
      'model_fingerprint',
    ])
    .where('namespace_id', '=', source.namespaceId)
    .execute()
  return write(async (trx) => {
    const pairs: IndexPair[] = []
    for (const row of rows as VectorIndexRow[]) {
      const { vector_index_id: _id, ...spec } = row
      const { vector_index_id: target_id } = await ensureVectorIndex(trx, target, spec)
      pairs.push({ source: row, target_id })
    }
    return pairs
  })
}

type Slice = {
  rows: DocumentRow[]
  owned: Map<string, string[]>
  /** Vectors by old document number, of each index. */
  vectors: { target_id: number; by_document: Map<number, Float32Array> }[]
  /** Searchable text by old document number. */
  texts: Map<number, string>
}

async function readSlice(
  { snapshot, source }: CloneContext,
  collections: Collections,
  indexes: readonly IndexPair[],
  seqs: readonly number[],
): Promise<Slice> {
  const found = await snapshot
    .selectFrom('documents')
    .selectAll()
    .where('namespace_id', '=', source.namespaceId)
    .where('document_seq', 'in', seqs)
    .orderBy('document_seq')
    .execute()
  // Documents of a deleted collection go in the background; until then they are here.
  const rows = found.filter(({ collection_id }) => collections.has(collection_id))
  const document_ids = rows.map(({ document_id }) => document_id)
  const owned = await filesOf(snapshot, source.namespaceId, 'document', document_ids)
  const vectors = []
  for (const { source: index, target_id } of indexes)
    vectors.push({ target_id, by_document: await readVectors(snapshot, index.vector_index_id, seqs) })
  const texts = await snapshot
    .selectFrom('lexical_texts')
    .select(['document_seq', 'text'])
    .where('document_seq', 'in', seqs)
    .execute()
  return { rows, owned, vectors, texts: new Map(texts.map((row) => [row.document_seq, row.text])) }
}

async function insertSlice(
  context: CloneContext,
  trx: Trx,
  collections: Collections,
  { rows, owned, vectors, texts }: Slice,
): Promise<number> {
  const { target, ids, warnings, advance } = context
  const lost = await shareOwned(context, trx, 'document', owned)
  const kept = rows.filter(({ document_id }) => !lost.has(document_id))
  warnings.add('A document was left out: it was deleted while the namespace was cloned.', lost.size)
  await advance(trx, rows.length)
  if (kept.length === 0) return 0
  const inserted = await trx
    .insertInto('documents')
    .values(kept.map((row) => copyOf(context, row)))
    .returning(['document_id', 'document_seq'])
    .execute()
  const seqs = new Map(inserted.map(({ document_id, document_seq }) => [document_id, document_seq]))
  const numbered = kept.map((row) => ({ row, seq: seqs.get(ids.of(row.document_id))! }))
  await changeDocumentCounts(trx, target, countByCollection(context, kept))
  await putVectors(
    trx,
    vectors.flatMap(({ target_id, by_document }) =>
      numbered.flatMap(({ row, seq }) => {
        const vector = by_document.get(row.document_seq)
        if (!vector) return []
        const collection_id = ids.of(row.collection_id)
        return { vector_index_id: target_id, document_seq: seq, collection_id, vector }
      }),
    ),
    { are_stored: true },
  )
  for (const [collection_id, { target_seq }] of collections)
    await putText(
      trx,
      target_seq,
      numbered.flatMap(({ row, seq }) => {
        const text = row.collection_id === collection_id ? texts.get(row.document_seq) : undefined
        return text === undefined ? [] : { document_seq: seq, text }
      }),
    )
  return kept.length
}

function countByCollection({ ids }: CloneContext, rows: readonly DocumentRow[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { collection_id } of rows) {
    const id = ids.of(collection_id)
    counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

/** The clone has no batches, so none of its documents belongs to one. */
function copyOf({ target, ids }: CloneContext, row: DocumentRow) {
  const { document_seq: _seq, ...rest } = row
  const { source_document_id, document_id, root_object_id, root_bucket_id } = row
  const sources = [source_document_id, document_id, root_object_id, root_bucket_id]
  return {
    ...rest,
    namespace_id: target.namespaceId,
    document_id: ids.of(document_id),
    collection_id: ids.of(row.collection_id),
    row_key: ids.ofRowKey(row.row_key, sources),
    batch_id: null,
    root_object_id: ids.ofNullable(root_object_id),
    root_bucket_id: ids.ofNullable(root_bucket_id),
    source_document_id: ids.ofNullable(source_document_id),
    payload: ids.addresses(row.payload),
    internal: ids.internal(row.internal),
    document_blobs: ids.addresses(JSON.stringify(JSON.parse(row.document_blobs).map(blobOf(ids)))),
  }
}

const blobOf = (ids: CloneContext['ids']) => (blob: JsonValue) =>
  isObject(blob) && typeof blob.source_blob_id === 'string'
    ? { ...blob, source_blob_id: ids.of(blob.source_blob_id) }
    : blob
