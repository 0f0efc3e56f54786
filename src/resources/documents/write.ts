import { KuraError, valueError } from '../../core/errors.ts'
import { resolveFeature } from '../../core/feature-uri.ts'
import { newId } from '../../core/ids.ts'
import { isObject, type JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { patchedDocument, replacedDocument } from '../../engine/documents/edit.ts'
import type { DocumentRecord } from '../../engine/documents/record.ts'
import { insertDocument, lockDocument, saveDocument } from '../../engine/documents/save.ts'
import { lockCollection } from '../../engine/ingest/store.ts'
import { type CollectionFeature, readScopeCollections } from '../../engine/retrieve/scope-collections.ts'
import { type Db, inTransaction, isUniqueViolation, type Trx } from '../../platform/db/db.ts'
import type { Models } from '../../platform/models/models.ts'
import {
  ensureVectorIndex,
  findVectorIndex,
  putVectors,
  type VectorIndexRow,
} from '../../platform/vectors/vector-store.ts'
import { type CollectionRecord, collectionNotFound } from '../collections/index.ts'
import { CreateDocumentBody } from './schemas.ts'

type Context = { db: Db; models: Pick<Models, 'describe'> }

/** Changes a document in place; what is not a field (vectors, lineage, creation time) stays. */
export async function editDocument(
  db: Db,
  scope: Scope,
  collection: CollectionRecord,
  document_id: string,
  { fields, mode }: { fields: JsonObject; mode: 'patch' | 'replace' },
): Promise<void> {
  const context = { vector_names: vectorNames(collection), namespace_id: scope.namespaceId }
  await inTransaction(db, async (trx) => {
    await holdCollection(trx, scope, collection)
    const document = await lockDocument(trx, scope, collection, document_id)
    if (!document) throw new KuraError('document_not_found', { resource: 'document', id: document_id })
    const edited = mode === 'patch' ? patchedDocument : replacedDocument
    await saveDocument(trx, scope, collection, document, edited(document, fields, context))
  })
}

/** It must not be deleted between being found and being written to. */
async function holdCollection(
  trx: Trx,
  scope: Scope,
  { collection_id }: Pick<CollectionRecord, 'collection_id'>,
): Promise<void> {
  if ((await lockCollection(trx, scope, collection_id)) === null) throw collectionNotFound(collection_id)
}

/** Adds a document that no extractor made, with the vectors that it brings. Returns its id. */
export async function createDocument(
  { db, models }: Context,
  scope: Scope,
  collection: CollectionRecord,
  { collection_id, document_id = newId.document(), features = [], ...fields }: CreateDocumentBody,
): Promise<string> {
  if (
    collection_id &&
    collection_id !== collection.collection_id &&
    collection_id !== collection.collection_name
  )
    throw new KuraError('bad_request', { reason: 'collection_id differs from the collection in the path.' })
  const [own] = await readScopeCollections(db, scope, [collection.collection_id])
  const vectors = features.flatMap(({ vectors }, i) => vectorsOf(vectors, own?.features ?? [], i))
  const members = Object.assign({}, given(fields), ...features.map(({ payload }) => payload)) as JsonObject
  const content = patchedDocument(emptyDocument(document_id, collection), members, {
    vector_names: vectorNames(collection),
    namespace_id: scope.namespaceId,
  })
  try {
    await inTransaction(db, async (trx) => {
      await holdCollection(trx, scope, collection)
      const document_seq = await insertDocument(trx, scope, collection, document_id, content)
      for (const { feature, vector } of vectors) {
        const { vector_index_id } = await indexOf(trx, scope, feature, models)
        await putVectors(trx, [
          { vector_index_id, document_seq, collection_id: collection.collection_id, vector },
        ])
      }
    })
  } catch (error) {
    if (isUniqueViolation(error)) throw new KuraError('document_already_exists', { document_id })
    throw error
  }
  return document_id
}

/** Clients send the members that they do not use as null; null is a value for the user's own fields only. */
const given = (fields: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([name, value]) => value !== null || !Object.hasOwn(CreateDocumentBody.properties, name),
    ),
  )

const vectorNames = ({ vector_indexes }: CollectionRecord) => vector_indexes.map(({ index }) => index.name)

const emptyDocument = (document_id: string, { collection_id }: CollectionRecord): DocumentRecord => ({
  document_seq: 0,
  document_id,
  collection_id,
  root_object_id: null,
  root_bucket_id: null,
  source_document_id: null,
  created_at: '',
  updated_at: '',
  payload: {},
  internal: { metadata: { ingestion_status: 'COMPLETED' } },
  document_blobs: [],
})

type NamedVector = { feature: CollectionFeature; vector: number[] }

/** A list is the vector of the primary feature; an object names features in any spelling. */
function vectorsOf(sent: unknown, features: readonly CollectionFeature[], i: number): NamedVector[] {
  if (sent === null || sent === undefined) return []
  const loc = ['body', 'features', i, 'vectors']
  const [primary] = features
  if (!primary) throw new KuraError('feature_uri_not_found', { feature: 'vectors', available: [] })
  if (Array.isArray(sent)) return [{ feature: primary, vector: numbersOf(sent, loc) }]
  if (!isObject(sent))
    throw valueError(loc, 'Input should be a list of numbers or a dictionary of such lists')
  const entries = Object.entries(sent)
  return entries.map(([name, value]) => {
    // Clients call the only vector what they like.
    const feature = resolveFeature(name, features) ?? (entries.length === 1 ? primary : undefined)
    if (!feature)
      throw new KuraError('feature_uri_not_found', {
        feature: name,
        available: features.map(({ feature_uri }) => feature_uri),
      })
    return { feature, vector: numbersOf(value, [...loc, name]) }
  })
}

function numbersOf(value: unknown, loc: (string | number)[]): number[] {
  const isVector = Array.isArray(value) && value.every((number) => typeof number === 'number')
  if (!isVector) throw valueError(loc, 'Input should be a list of numbers')
  return value as number[]
}

/** The index as it is, else one for the model that is bound now. */
async function indexOf(
  trx: Trx,
  scope: Scope,
  { storage_name, feature_uri, slot }: CollectionFeature,
  models: Pick<Models, 'describe'>,
): Promise<VectorIndexRow> {
  const known = await findVectorIndex(trx, scope, storage_name)
  if (known) return known
  const model = models.describe(slot)
  if (!model) throw new KuraError('inference_provider_not_configured', { slot })
  return ensureVectorIndex(trx, scope, {
    storage_name,
    feature_uri,
    dimensions: model.dimensions,
    distance: 'cosine',
    model_id: model.id,
    model_fingerprint: model.fingerprint,
  })
}
