import type { CollectionConfig } from '../../core/collections/config.ts'
import type { Scope } from '../../core/scope.ts'
import type { Extractor } from '../../extractors/extractor.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import type { Models } from '../../platform/models/models.ts'
import { findVectorIndex, readVectors, type VectorIndexSpec } from '../../platform/vectors/vector-store.ts'
import type { SourceRow } from './rows.ts'

/** The indexes that an extractor writes to, with the models that are bound now. */
export function indexSpecs(
  { feature_extractor, vector_indexes }: CollectionConfig,
  extractor: Extractor,
  models: Pick<Models, 'describe'>,
): Map<string, VectorIndexSpec> {
  const specs = new Map<string, VectorIndexSpec>()
  for (const { name, storage_name, slot, distance } of extractor.vectors(feature_extractor.parameters)) {
    const model = models.describe(slot)
    const definition = vector_indexes.find((one) => one.name === name)
    // Without a model no vector can have been made, and every row that needed one has failed.
    if (!model || !definition) continue
    specs.set(storage_name, {
      storage_name,
      feature_uri: definition.feature_uri,
      dimensions: model.dimensions,
      distance,
      model_id: model.id,
      model_fingerprint: model.fingerprint,
    })
  }
  return specs
}

export type CopiedVectors = {
  of(row: SourceRow): Record<string, Float32Array>
  specs: Map<string, VectorIndexSpec>
}

/** Vectors of upstream documents that the collection has too, though its extractor does not make them. */
export async function copiedVectors(
  db: DbOrTrx,
  scope: Scope,
  { feature_extractor, vector_indexes }: CollectionConfig,
  extractor: Extractor,
  rows: readonly SourceRow[],
): Promise<CopiedVectors> {
  const own = new Set(extractor.vectors(feature_extractor.parameters).map(({ storage_name }) => storage_name))
  const seqs = rows.flatMap(({ document_seq }) => document_seq ?? [])
  const byName = new Map<string, Map<number, Float32Array>>()
  const specs = new Map<string, VectorIndexSpec>()
  for (const { index } of vector_indexes) {
    if (own.has(index.name) || seqs.length === 0) continue
    const found = await findVectorIndex(db, scope, index.name)
    if (!found) continue
    const { vector_index_id, ...spec } = found
    byName.set(index.name, await readVectors(db, vector_index_id, seqs))
    specs.set(index.name, spec)
  }
  return {
    specs,
    of({ document_seq }) {
      const vectors: Record<string, Float32Array> = {}
      for (const [name, bySeq] of byName) {
        const vector = document_seq === null ? undefined : bySeq.get(document_seq)
        if (vector) vectors[name] = vector
      }
      return vectors
    },
  }
}
