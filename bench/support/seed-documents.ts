import { sql } from 'kysely'
import { timestamp } from '../../src/core/time.ts'
import { type Db, inTransaction, openDb, type Trx } from '../../src/platform/db/db.ts'
import { putText } from '../../src/platform/lexical/lexical-store.ts'
import { ensureVectorIndex, putVectors } from '../../src/platform/vectors/vector-store.ts'

/** Documents of one transaction. */
const PART = 2000
const DIMENSIONS = 384

export type SeedDocument = { payload: Record<string, unknown>; vector: Float32Array; text: string }

/**
 * Puts documents with vectors and texts straight into the database of a server that is not running:
 * searching them is what the benchmark measures, not how they get there. Returns their ids.
 */
export async function seedDocuments(
  home: string,
  collection_id: string,
  count: number,
  make: (i: number) => SeedDocument,
): Promise<string[]> {
  const db = openDb(`sqlite:${home}/kura.db`, { durability: 'normal' })
  try {
    const target = await prepare(db, collection_id)
    const ids: string[] = []
    for (let start = 0; start < count; start += PART) {
      const part = Array.from({ length: Math.min(PART, count - start) }, (_, i) => make(start + i))
      ids.push(...(await inTransaction(db, (trx) => insert(trx, target, part, start))))
    }
    await db
      .updateTable('collections')
      .set({ document_count: count })
      .where('collection_id', '=', collection_id)
      .execute()
    // As after weeks of use: the query planner knows the tables.
    await sql`analyze`.execute(db)
    return ids
  } finally {
    await db.destroy()
  }
}

type Target = {
  namespace_id: string
  collection_id: string
  collection_seq: number
  vector_index_id: number
}

async function prepare(db: Db, collection_id: string): Promise<Target> {
  const { namespace_id, collection_seq, vector_indexes } = await db
    .selectFrom('collections')
    .select(['namespace_id', 'collection_seq', 'vector_indexes'])
    .where('collection_id', '=', collection_id)
    .executeTakeFirstOrThrow()
  const [feature] = JSON.parse(vector_indexes) as { feature_uri: string; index: { name: string } }[]
  const scope = { organizationId: '', namespaceId: namespace_id }
  const { vector_index_id } = await inTransaction(db, (trx) =>
    ensureVectorIndex(trx, scope, {
      storage_name: feature!.index.name,
      feature_uri: feature!.feature_uri,
      dimensions: DIMENSIONS,
      distance: 'cosine',
      // Queries of the benchmark are vectors, so no model has to agree with this one.
      model_id: 'bench',
      model_fingerprint: 'bench',
    }),
  )
  return { namespace_id, collection_id, collection_seq, vector_index_id }
}

async function insert(
  trx: Trx,
  { namespace_id, collection_id, collection_seq, vector_index_id }: Target,
  documents: readonly SeedDocument[],
  start: number,
): Promise<string[]> {
  const now = timestamp()
  const seqs: number[] = []
  const ids = documents.map((_, i) => `doc_${(start + i).toString(16).padStart(24, '0')}`)
  for (let from = 0; from < documents.length; from += 500) {
    const rows = await trx
      .insertInto('documents')
      .values(
        documents.slice(from, from + 500).map(({ payload }, i) => ({
          namespace_id,
          document_id: ids[from + i]!,
          collection_id,
          row_key: ids[from + i]!,
          created_at: now,
          updated_at: now,
          payload: JSON.stringify(payload),
          internal: '{}',
          document_blobs: '[]',
        })),
      )
      .returning('document_seq')
      .execute()
    seqs.push(...rows.map(({ document_seq }) => document_seq))
  }
  seqs.sort((a, b) => a - b)
  await putVectors(
    trx,
    documents.map(({ vector }, i) => ({ vector_index_id, document_seq: seqs[i]!, collection_id, vector })),
  )
  await putText(
    trx,
    collection_seq,
    documents.map(({ text }, i) => ({ document_seq: seqs[i]!, text })),
  )
  return ids
}
