import { parseFeatureUri } from '../../core/feature-uri.ts'
import { omitNulls } from '../../core/json.ts'
import type { CollectionRecord } from './record.ts'
import type { CollectionFeatures } from './schemas.ts'

/** One descriptor a vector index, the first being the primary one. */
export function describeFeatures({
  vector_indexes,
}: Pick<CollectionRecord, 'vector_indexes'>): CollectionFeatures {
  const features = vector_indexes.map(({ feature_uri, index }, i) => {
    // A copied vector keeps the address of the extractor that made it.
    const { extractor, version } = parseFeatureUri(feature_uri)!
    return {
      feature_address: feature_uri,
      feature_extractor_name: extractor,
      version,
      vector_index: omitNulls(index),
      primary: i === 0,
    }
  })
  return { features: features as CollectionFeatures['features'] }
}
