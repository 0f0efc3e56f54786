import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type Db, type DbOrTrx, dialect, type Trx } from '../db/db.ts'
import { slot, Templates } from '../db/templates.ts'
import { lockChangeLog } from '../derived-index/change-order.ts'
import { inParts } from '../derived-index/parts.ts'
import { type ChangeLog, trimChanges } from '../derived-index/trim-changes.ts'
import { type Distance, isFinite32, normalized, SIMILARITIES } from './similarity.ts'
import { toFloats } from './vector-feed.ts'

/** What a vector index is made for; two specifications of one storage name must agree. */
export type VectorIndexSpec = {
  storage_name: string
  feature_uri: string
  dimensions: number
  distance: Distance
  model_id: string
  model_fingerprint: string
}

export type VectorIndexRow = VectorIndexSpec & { vector_index_id: number }

/** One vector of one document in one index. */
export type VectorWrite = {
  vector_index_id: number
  document_seq: number
  collection_id: string
  vector: ArrayLike<number>
}

/** Rows of one insert: 64 vectors of 1024 numbers are 256 KB. */
const INSERT_ROWS = 64

const COLUMNS = [
  'vector_index_id',
  'storage_name',
  'feature_uri',
  'dimensions',
  'distance',
  'model_id',
  'model_fingerprint',
] as const

/** Every search asks: building the statement takes longer than running it. */
const templates = new Templates()

/** The index of this name in the scope; undefined when nothing was written to it yet. */
export async function findVectorIndex(
  db: DbOrTrx,
  { namespaceId }: Scope,
  storage_name: string,
): Promise<VectorIndexRow | undefined> {
  const [row] = await templates.run<VectorIndexRow>(db, dialect(db), { namespaceId, storage_name }, () =>
    db
      .selectFrom('vector_indexes')
      .select(COLUMNS)
      .where('namespace_id', '=', slot<string>('namespaceId'))
      .where('storage_name', '=', slot<string>('storage_name'))
      .compile(),
  )
  return row
}

/**
 * Finds or creates the index that a feature writes to. Throws `inference_model_changed` or
 * `vector_dimension_mismatch` when it holds vectors of another model: they cannot be compared. An
 * index without vectors takes on the new model.
 */
export async function ensureVectorIndex(
  trx: Trx,
  scope: Scope,
  spec: VectorIndexSpec,
): Promise<VectorIndexRow> {
  await trx
    .insertInto('vector_indexes')
    .values({ namespace_id: scope.namespaceId, ...spec, created_at: timestamp() })
    .onConflict((conflict) => conflict.columns(['namespace_id', 'storage_name']).doNothing())
    .execute()
  const found = (await findVectorIndex(trx, scope, spec.storage_name))!
  const mismatch = mismatchOf(found, spec)
  if (!mismatch) return found
  if (await holdsVectors(trx, found.vector_index_id)) throw mismatch
  const { storage_name: _, ...changes } = spec
  await trx
    .updateTable('vector_indexes')
    .set(changes)
    .where('vector_index_id', '=', found.vector_index_id)
    .execute()
  return { ...found, ...changes }
}

function mismatchOf(found: VectorIndexRow, spec: VectorIndexSpec): KuraError | undefined {
  if (found.dimensions !== spec.dimensions)
    return new KuraError('vector_dimension_mismatch', { found: spec.dimensions, expected: found.dimensions })
  if (found.model_fingerprint !== spec.model_fingerprint || found.distance !== spec.distance)
    return new KuraError('inference_model_changed', { feature: spec.feature_uri })
  return undefined
}

async function holdsVectors(trx: Trx, vector_index_id: number): Promise<boolean> {
  const one = await trx
    .selectFrom('vectors')
    .select('document_seq')
    .where('vector_index_id', '=', vector_index_id)
    .limit(1)
    .executeTakeFirst()
  return one !== undefined
}

/**
 * Writes vectors by their key, overwriting, and logs the changes. Refuses values that are not finite
 * numbers (`vector_invalid`: usearch would take them and return nonsense) and wrong lengths
 * (`vector_dimension_mismatch`). Vectors of a cosine index are stored with length 1. Call it late in
 * the transaction (see lockChangeLog); all rows belong to one namespace.
 */
export async function putVectors(
  trx: Trx,
  rows: readonly VectorWrite[],
  /** Vectors of `readVectors` are written as they are: making them length 1 again would change their last bits. */
  { are_stored = false }: { are_stored?: boolean } = {},
): Promise<void> {
  if (rows.length === 0) return
  const indexes = await indexesOf(trx, rows)
  const values = lastOfEachKey(rows).map((row) => ({
    vector_index_id: row.vector_index_id,
    document_seq: row.document_seq,
    collection_id: row.collection_id,
    vector: bytesOf(checked(row, indexes.get(row.vector_index_id), are_stored)),
  }))
  for (const part of inParts(values, INSERT_ROWS)) {
    await trx
      .insertInto('vectors')
      .values(part)
      .onConflict((conflict) =>
        conflict.columns(['vector_index_id', 'document_seq']).doUpdateSet((eb) => ({
          collection_id: eb.ref('excluded.collection_id'),
          vector: eb.ref('excluded.vector'),
        })),
      )
      .execute()
  }
  // Only now: the rows are most of the work, and writers may do it side by side.
  await lockChangeLog(trx, [...indexes.values()][0]!.namespace_id)
  await logChanges(trx, values)
}

type IndexFacts = { namespace_id: string; dimensions: number; distance: string }

async function indexesOf(trx: Trx, rows: readonly VectorWrite[]): Promise<Map<number, IndexFacts>> {
  const ids = [...new Set(rows.map(({ vector_index_id }) => vector_index_id))]
  const found = await trx
    .selectFrom('vector_indexes')
    .select(['vector_index_id', 'namespace_id', 'dimensions', 'distance'])
    .where('vector_index_id', 'in', ids)
    .execute()
  if (found.length < ids.length) throw new Error('A vector names an index that does not exist.')
  if (new Set(found.map(({ namespace_id }) => namespace_id)).size > 1)
    throw new Error('Vectors of several namespaces cannot be written in one call.')
  return new Map(found.map((row) => [row.vector_index_id, row]))
}

/** PostgreSQL refuses to write a key twice in one statement; the later row counts, as if written singly. */
function lastOfEachKey(rows: readonly VectorWrite[]): VectorWrite[] {
  const byKey = new Map(rows.map((row) => [`${row.vector_index_id}/${row.document_seq}`, row]))
  return byKey.size === rows.length ? [...rows] : [...byKey.values()]
}

function checked({ vector }: VectorWrite, index: IndexFacts | undefined, are_stored: boolean): Float32Array {
  const { dimensions, distance } = index!
  if (vector.length !== dimensions)
    throw new KuraError('vector_dimension_mismatch', { found: vector.length, expected: dimensions })
  if (!isFinite32(vector)) throw new KuraError('vector_invalid')
  const must_normalize = !are_stored && SIMILARITIES[distance as Distance].normalized
  return must_normalize ? normalized(vector) : Float32Array.from(vector)
}

/** A Buffer, because pg would send any other view as text. */
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  Buffer.from(buffer, byteOffset, byteLength)

/** Removes every vector of the documents, whatever index holds it, and logs that. One namespace a call. */
export async function deleteVectors(trx: Trx, document_seqs: readonly number[]): Promise<void> {
  let locked = false
  for (const part of inParts(document_seqs)) {
    const found = await trx
      .selectFrom('vectors')
      .innerJoin('vector_indexes', 'vector_indexes.vector_index_id', 'vectors.vector_index_id')
      .select(['vectors.vector_index_id', 'vectors.document_seq', 'vector_indexes.namespace_id'])
      .where('vectors.document_seq', 'in', part)
      .execute()
    if (found.length === 0) continue
    if (!locked) await lockChangeLog(trx, found[0]!.namespace_id)
    locked = true
    await trx.deleteFrom('vectors').where('document_seq', 'in', part).execute()
    await logChanges(trx, found)
  }
}

/** Removes the indexes of a namespace with all their vectors; followers see that they are gone. */
export async function deleteVectorIndexes(trx: Trx, { namespaceId }: Scope): Promise<void> {
  const ids = trx
    .selectFrom('vector_indexes')
    .select('vector_index_id')
    .where('namespace_id', '=', namespaceId)
  await trx.deleteFrom('vectors').where('vector_index_id', 'in', ids).execute()
  await trx.deleteFrom('vector_changes').where('vector_index_id', 'in', ids).execute()
  await trx.deleteFrom('vector_indexes').where('namespace_id', '=', namespaceId).execute()
}

async function logChanges(trx: Trx, changes: readonly { vector_index_id: number; document_seq: number }[]) {
  for (const part of inParts(changes)) {
    await trx
      .insertInto('vector_changes')
      .values(part.map(({ vector_index_id, document_seq }) => ({ vector_index_id, document_seq })))
      .execute()
  }
}

/** Stored vectors (length 1 in a cosine index) by document; documents without one are left out. */
export async function readVectors(
  db: DbOrTrx,
  vector_index_id: number,
  document_seqs: readonly number[],
): Promise<Map<number, Float32Array>> {
  const vectors = new Map<number, Float32Array>()
  for (const part of inParts(document_seqs)) {
    const rows = await db
      .selectFrom('vectors')
      .select(['document_seq', 'vector'])
      .where('vector_index_id', '=', vector_index_id)
      .where('document_seq', 'in', part)
      .execute()
    for (const { document_seq, vector } of rows) vectors.set(document_seq, toFloats(vector))
  }
  return vectors
}

/** `trimChanges` of one index. */
export function trimVectorChanges(db: Db, vector_index_id: number, up_to: number): Promise<void> {
  return trimChanges(db, CHANGE_LOG, vector_index_id, up_to)
}

const CHANGE_LOG: ChangeLog = { indexes: 'vector_indexes', changes: 'vector_changes', key: 'vector_index_id' }
