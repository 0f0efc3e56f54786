import { canonicalBucketSchema } from '../../core/bucket-schema.ts'
import { KuraError } from '../../core/errors.ts'
import { isObject } from '../../core/json.ts'

type Members = Record<string, unknown>

/**
 * Rewrites the spellings that clients send for a collection (contract, create collection): names of
 * members, the extractor as a list or by its id, source filters without their wrapper. Throws
 * `bad_request` for more than one extractor.
 */
export function normalizeCollection(body: unknown): unknown {
  if (!isObject(body)) return body
  const { name, alias, extractors, feature_extractors, ...rest } = body
  const result: Members = { ...rest }
  result.collection_name ??= name ?? alias
  const list = feature_extractors ?? extractors
  if (result.feature_extractor === undefined && Array.isArray(list)) {
    if (list.length > 1)
      throw new KuraError('bad_request', {
        reason: 'A collection has exactly one feature extractor. Create one collection for each.',
      })
    result.feature_extractor = list[0]
  }
  if (result.feature_extractor !== undefined)
    result.feature_extractor = normalizeExtractor(result.feature_extractor)
  if (isObject(result.source)) result.source = normalizeSource(result.source)
  if (result.input_schema !== undefined) result.input_schema = canonicalBucketSchema(result.input_schema)
  return dropUndefined(result)
}

function normalizeExtractor(raw: unknown): unknown {
  if (typeof raw === 'string') return { feature_extractor_name: raw }
  if (!isObject(raw)) return raw
  const { name, id, feature_extractor_id, ...rest } = raw
  const extractor: Members = { ...rest }
  // `id` holds name and version; the registry takes it apart.
  extractor.feature_extractor_name ??= name ?? id ?? feature_extractor_id
  for (const key of ['version', 'input_mappings', 'field_passthrough'])
    if (extractor[key] === null) delete extractor[key]
  return dropUndefined(extractor)
}

function normalizeSource(raw: Members): Members {
  const { bucket_id, buckets, ...rest } = raw
  const source: Members = { ...rest }
  source.bucket_ids ??= buckets ?? (bucket_id === undefined || bucket_id === null ? undefined : [bucket_id])
  const { source_filters } = source
  if (isObject(source_filters) && !('filters' in source_filters))
    source.source_filters = Object.keys(source_filters).length > 0 ? { filters: source_filters } : undefined
  return dropUndefined(source)
}

function dropUndefined(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
