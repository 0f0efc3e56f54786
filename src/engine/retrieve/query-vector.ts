import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import type { EmbeddingInput, Models } from '../../platform/models/models.ts'
import { readVectors, type VectorIndexRow } from '../../platform/vectors/vector-store.ts'
import type { SearchQuery } from '../../stages/stage.ts'
import type { CollectionFeature } from './scope-collections.ts'

/** Bytes of a media query; fetches URLs through the guarded client. */
export type ReadContent = (scope: Scope, content: string) => Promise<Uint8Array>

export type StoredVectorIndex = Pick<VectorIndexRow, 'vector_index_id' | 'dimensions' | 'model_fingerprint'>

type Context = {
  db: DbOrTrx
  scope: Scope
  models: Models
  readContent: ReadContent
  signal: AbortSignal
}

/**
 * The vector of a query in the space of an index. `document_seq` is set when it is the vector of a
 * stored document, which the answer must then leave out.
 */
export async function queryVector(
  query: SearchQuery,
  feature: CollectionFeature,
  index: StoredVectorIndex,
  context: Context,
): Promise<{ vector: Float32Array; document_seq: number | null }> {
  switch (query.kind) {
    case 'text':
      return {
        vector: await embed({ text: query.text }, 'text', feature, index, context),
        document_seq: null,
      }
    case 'content': {
      const image = await context.readContent(context.scope, query.content)
      return { vector: await embed({ image }, 'image', feature, index, context), document_seq: null }
    }
    case 'vector':
      return { vector: checked(query.vector, index), document_seq: null }
    case 'document':
      return documentVector(query, feature, index, context)
    case 'random':
      return {
        vector: Float32Array.from({ length: index.dimensions }, () => Math.random() - 0.5),
        document_seq: null,
      }
  }
}

async function embed(
  input: EmbeddingInput,
  modality: 'text' | 'image',
  { slot, feature_uri }: CollectionFeature,
  index: StoredVectorIndex,
  { models, signal }: Context,
): Promise<Float32Array> {
  const model = models.describe(slot)
  if (!model) throw new KuraError('inference_provider_not_configured', { slot })
  if (!model.modalities.includes(modality))
    throw new KuraError('query_modality_unsupported', { feature: feature_uri, modality })
  // Vectors of another model would compare without error and mean nothing.
  if (model.fingerprint !== index.model_fingerprint)
    throw new KuraError('inference_model_changed', { feature: feature_uri })
  const [vector] = await (await models.embedding(slot)).embed([input], { purpose: 'query', signal })
  return vector!
}

function checked(vector: number[], { dimensions }: StoredVectorIndex): Float32Array {
  if (vector.length !== dimensions)
    throw new KuraError('vector_dimension_mismatch', { found: vector.length, expected: dimensions })
  return Float32Array.from(vector)
}

async function documentVector(
  { collection_id, document_id }: { collection_id: string | null; document_id: string },
  { feature_uri }: CollectionFeature,
  index: StoredVectorIndex,
  { db, scope }: Context,
): Promise<{ vector: Float32Array; document_seq: number }> {
  let query = db
    .selectFrom('documents')
    .select('document_seq')
    .where('namespace_id', '=', scope.namespaceId)
    .where('document_id', '=', document_id)
  if (collection_id) query = query.where('collection_id', '=', collection_id)
  const row = await query.executeTakeFirst()
  if (!row) throw new KuraError('document_not_found', { resource: 'document', id: document_id })
  const { document_seq } = row
  const vector = (await readVectors(db, index.vector_index_id, [document_seq])).get(document_seq)
  if (!vector) throw new KuraError('feature_missing', { feature: feature_uri, document_id })
  return { vector, document_seq }
}
