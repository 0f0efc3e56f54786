import type { CollectionConfig } from '../../core/collections/config.ts'
import type { MappedInput } from '../../core/collections/mapping.ts'
import { sha256 } from '../../core/ids.ts'
import { canonicalJson, isObject, type JsonObject, type JsonValue, omitNulls } from '../../core/json.ts'
import type { DraftContext } from './drafts.ts'
import type { SourceRow } from './rows.ts'

/** `_internal` of a document; its ids and times are columns and are added when it is shown. */
export function internalOf(
  context: DraftContext,
  row: SourceRow,
  mapped: MappedInput,
  { document_id, metadata }: { document_id: string; metadata: JsonObject },
): JsonObject {
  const { config, batch_id, tier_num, include_processing_history, now } = context
  const { feature_extractor_id } = config.feature_extractor
  const step = { operation: 'feature_extraction', feature_extractor_id, batch_id, tier_num, timestamp: now }
  return {
    lineage: lineageOf(context, row, document_id),
    ...(include_processing_history && { processing: { history: [step] } }),
    source_details: row.root_bucket_id === null ? [] : [{ type: 'bucket', source_id: row.root_bucket_id }],
    ...contentOf(row, mapped),
    metadata: {
      ingestion_status: 'COMPLETED',
      feature_extractor_config_hash: configHash(config),
      ...metadata,
    },
  }
}

/** Where a document comes from: one step a tier, from the root object to the document itself. */
function lineageOf({ config, now }: DraftContext, row: SourceRow, document_id: string): JsonObject {
  const { collection_id, collection_name, feature_extractor } = config
  const { record, root_object_id, root_bucket_id } = row
  const upstream = record.kind === 'document' ? upstreamLineage(record.internal) : null
  const chain = upstream?.chain ?? []
  return omitNulls({
    root_object_id,
    root_bucket_id,
    source_type: record.kind === 'object' ? 'bucket' : 'collection',
    ...(record.kind === 'object'
      ? { source_object_id: record.object_id }
      : { source_collection_id: record.collection_id, source_document_id: record.document_id }),
    path: `${upstream?.path ?? (record.kind === 'object' ? record.bucket_id : record.collection_id)}/${collection_id}`,
    chain: [
      ...chain,
      {
        collection_id,
        collection_name,
        feature_extractor_id: feature_extractor.feature_extractor_id,
        document_id,
        timestamp: now,
      },
    ],
    processing_tier: (upstream?.processing_tier ?? 0) + 1,
  })
}

function upstreamLineage({ lineage }: JsonObject) {
  if (!isObject(lineage)) return null
  const { path, chain, processing_tier } = lineage
  return {
    path: typeof path === 'string' ? path : null,
    chain: Array.isArray(chain) ? (chain as JsonValue[]) : [],
    processing_tier: typeof processing_tier === 'number' ? processing_tier : 0,
  }
}

/** What kind of content the document was made from. */
function contentOf({ record }: SourceRow, { value }: MappedInput): JsonObject {
  if (value.kind === 'text') return { modality: 'text', mime_type: 'text/plain' }
  if (value.kind === 'blob') {
    const { type, details } = value.blob
    return omitNulls({
      modality: type,
      mime_type: details.mime_type,
      size_bytes: details.size_bytes,
      content_hash: details.hash,
    })
  }
  if (record.kind === 'object') return {}
  const { modality = null, mime_type = null } = record.internal
  return omitNulls({ modality, mime_type })
}

const hashes = new WeakMap<CollectionConfig, string>()

function configHash(config: CollectionConfig): string {
  let hash = hashes.get(config)
  if (hash === undefined) {
    hash = sha256(canonicalJson(config.feature_extractor)).slice(0, 16)
    hashes.set(config, hash)
  }
  return hash
}
