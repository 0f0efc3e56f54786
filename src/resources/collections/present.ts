import { isObject, omitNulls } from '../../core/json.ts'
import type { CollectionRecord, StoredExtractor, StoredSource } from './record.ts'
import type { CollectionResponse } from './schemas.ts'

export type Counts = { retriever_count: number }

/** A collection as clients see it. */
export function presentCollection(record: CollectionRecord, { retriever_count }: Counts): CollectionResponse {
  const { namespace_id: _namespace, collection_seq: _seq, ...visible } = record
  return omitNulls({
    ...visible,
    source: presentSource(record.source),
    feature_extractor: presentExtractor(record.feature_extractor),
    source_lineage: record.source_lineage.map((entry) => ({
      ...entry,
      source_config: presentSource(entry.source_config),
      feature_extractor: presentExtractor(entry.feature_extractor),
    })),
    vector_indexes: record.vector_indexes.map((definition) => ({
      ...definition,
      index: omitNulls(definition.index),
    })),
    taxonomy_count: 0,
    retriever_count,
  }) as CollectionResponse
}

function presentSource(source: StoredSource): CollectionResponse['source'] {
  const { bucket_ids } = source
  return bucket_ids?.length === 1 ? { ...source, bucket_id: bucket_ids[0]! } : source
}

/** Keys that were written into parameters are shown as set, not as they are. */
function presentExtractor(extractor: StoredExtractor): CollectionResponse['feature_extractor'] {
  const { parameters } = extractor
  const masked = Object.entries(parameters).map(([key, value]) => [
    key,
    /(?:^|_)api_key$/.test(key) && typeof value === 'string' && !isReference(value) ? '********' : value,
  ])
  return {
    ...extractor,
    parameters: Object.fromEntries(masked),
    field_passthrough: extractor.field_passthrough.map((entry) => omitNulls(entry)),
    input_mappings: Array.isArray(extractor.input_mappings)
      ? extractor.input_mappings.map((entry) => omitNulls(entry))
      : extractor.input_mappings,
  } as CollectionResponse['feature_extractor']
}

/** A reference into the vault names a secret without giving it away. */
const isReference = (text: string) => /\{\{|\$\{vault:/.test(text)

/**
 * Whether what a client sent says nothing else than what is there: every member that it names is
 * equal, and members that it leaves out or sends as null do not count.
 */
export function agrees(sent: unknown, current: unknown): boolean {
  if (sent === null || sent === undefined) return true
  if (Array.isArray(sent))
    return (
      Array.isArray(current) &&
      sent.length === current.length &&
      sent.every((item, i) => agrees(item, current[i]))
    )
  if (isObject(sent))
    return isObject(current) && Object.entries(sent).every(([key, value]) => agrees(value, current[key]))
  return sent === current
}
