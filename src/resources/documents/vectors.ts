import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import { findVectorIndex, readVectors } from '../../platform/vectors/vector-store.ts'
import type { CollectionRecord } from '../collections/index.ts'

/** The vectors of some documents of a collection, by storage name and document. */
export async function readCollectionVectors(
  db: DbOrTrx,
  scope: Scope,
  { vector_indexes }: Pick<CollectionRecord, 'vector_indexes'>,
  document_seqs: readonly number[],
): Promise<Map<string, Map<number, Float32Array>>> {
  const vectors = new Map<string, Map<number, Float32Array>>()
  for (const { index } of vector_indexes) {
    const found = await findVectorIndex(db, scope, index.name)
    // An index comes into being with its first vector.
    if (found) vectors.set(index.name, await readVectors(db, found.vector_index_id, document_seqs))
  }
  return vectors
}
