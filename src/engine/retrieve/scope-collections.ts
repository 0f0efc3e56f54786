import { KuraError } from '../../core/errors.ts'
import {
  type FeatureDescriptor,
  isLexicalOutput,
  parseFeatureUri,
  resolveFeature,
} from '../../core/feature-uri.ts'
import type { Scope } from '../../core/scope.ts'
import { builtinExtractors } from '../../extractors/builtin.ts'
import { defaultParameters, featureDescriptor } from '../../extractors/catalogue.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { slot, Templates } from '../../platform/db/templates.ts'
import type { ModelDescription, Models, Slot } from '../../platform/models/models.ts'
import type { SearchableFeature } from '../../stages/stage.ts'

/** A vector feature of one collection, with what a search of it needs. */
export type CollectionFeature = FeatureDescriptor & { slot: Slot; dimensions: number | null }

export type ScopeCollection = {
  collection_seq: number
  collection_id: string
  collection_name: string
  features: CollectionFeature[]
}

type StoredIndex = {
  feature_uri: string
  name: string
  index: { name: string; dimensions: number | null; inference_service_id: string }
}

/** Collections are read on every run, their features change only with their configuration: parsed once a text. */
const parsed = new Map<string, CollectionFeature[]>()
const PARSED_MAX = 5000

type CollectionRow = Omit<ScopeCollection, 'features'> & { vector_indexes: string }

/** Read on every run: building the statement takes longer than running it. */
const templates = new Templates()

/** The collections of a pipeline; one that was deleted since is left out. `null` means all of the namespace. */
export async function readScopeCollections(
  db: DbOrTrx,
  { namespaceId }: Scope,
  collection_ids: readonly string[] | null,
): Promise<ScopeCollection[]> {
  if (collection_ids?.length === 0) return []
  const values = Object.fromEntries((collection_ids ?? []).map((id, i) => [`id_${i}`, id]))
  const shape = `${dialect(db)} ${collection_ids?.length ?? 'all'}`
  const rows = await templates.run<CollectionRow>(db, shape, { namespaceId, ...values }, () => {
    const query = db
      .selectFrom('collections')
      .select(['collection_seq', 'collection_id', 'collection_name', 'vector_indexes'])
      .where('namespace_id', '=', slot<string>('namespaceId'))
    const slots = Object.keys(values).map((name) => slot<string>(name))
    return (collection_ids ? query.where('collection_id', 'in', slots) : query).compile()
  })
  return rows.map(({ vector_indexes, ...row }) => ({ ...row, features: featuresOf(vector_indexes) }))
}

/** A vector may have been copied from another collection, so its own URI says which extractor made it. */
function featuresOf(vector_indexes: string): CollectionFeature[] {
  const known = parsed.get(vector_indexes)
  if (known) return known
  const features = (JSON.parse(vector_indexes) as StoredIndex[]).flatMap(({ feature_uri, name, index }) => {
    const uri = parseFeatureUri(feature_uri)
    const extractor = uri && builtinExtractors.find(uri.extractor, uri.version)
    const output = extractor?.vectors(defaultParameters(extractor)).find((one) => one.name === name)
    if (!extractor || !output) return []
    return {
      ...featureDescriptor(extractor, output),
      feature_uri,
      storage_name: index.name,
      dimensions: index.dimensions,
    }
  })
  if (parsed.size >= PARSED_MAX) parsed.clear()
  parsed.set(vector_indexes, features)
  return features
}

/** A feature of a search, with the vector features behind it by collection. */
export type ResolvedFeature = SearchableFeature & { vector: CollectionFeature | null }

/**
 * The indexes that a feature name means in these collections: one entry an index, collections
 * without it left out. Without a name: the only feature that reads the modality, text before others.
 * Throws `feature_not_found`, `feature_uri_required`.
 */
export function resolveFeatures(
  collections: readonly ScopeCollection[],
  name: string | null,
  modality: string,
  models: Models,
): ResolvedFeature[] {
  const feature = name ?? onlyFeature(collections, modality, models)
  const output = parseFeatureUri(feature)?.output ?? feature
  if (isLexicalOutput(output)) {
    if (collections.length === 0) throw new KuraError('feature_not_found', { feature })
    const collection_ids = collections.map((one) => one.collection_id)
    return [{ feature_uri: feature, kind: 'lexical', collection_ids, modalities: ['text'], vector: null }]
  }
  const byIndex = new Map<string, ResolvedFeature>()
  for (const collection of collections) {
    const found = resolveFeature(feature, collection.features)
    if (!found) continue
    const known = byIndex.get(found.storage_name)
    if (known) known.collection_ids.push(collection.collection_id)
    else {
      const modalities = models.describe(found.slot)?.modalities ?? []
      byIndex.set(found.storage_name, {
        feature_uri: found.feature_uri,
        kind: 'vector',
        collection_ids: [collection.collection_id],
        modalities,
        vector: found,
      })
    }
  }
  if (byIndex.size === 0)
    throw new KuraError('feature_not_found', { feature, available: allUris(collections) })
  return [...byIndex.values()]
}

function onlyFeature(collections: readonly ScopeCollection[], modality: string, models: Models): string {
  const candidates = new Map<string, ModelDescription | undefined>()
  for (const { features } of collections)
    for (const { feature_uri, slot } of features) candidates.set(feature_uri, models.describe(slot))
  const fitting = [...candidates].filter(
    ([, model]) => modality === 'any' || !model || (model.modalities as readonly string[]).includes(modality),
  )
  const text = fitting.filter(([, model]) => model?.slot === 'text')
  const chosen = modality === 'text' && text.length > 0 ? text : fitting
  if (chosen.length === 0)
    throw new KuraError('feature_not_found', {
      feature: `for ${modality} queries`,
      available: allUris(collections),
    })
  if (chosen.length > 1)
    throw new KuraError('feature_uri_required', { candidates: chosen.map(([uri]) => uri) })
  return chosen[0]![0]
}

const allUris = (collections: readonly ScopeCollection[]) => [
  ...new Set(collections.flatMap(({ features }) => features.map((one) => one.feature_uri))),
]
