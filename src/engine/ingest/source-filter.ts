import type { CollectionConfig } from '../../core/collections/config.ts'
import type { ObjectRecord, SourceRecord } from '../../core/collections/record.ts'
import { documentField } from '../../core/filters/document-fields.ts'
import { evaluateFilter } from '../../core/filters/evaluate.ts'
import { objectField } from '../../core/filters/object-fields.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import { isObject, type JsonObject } from '../../core/json.ts'

/** Whether a row of the source is one of the collection's. */
export type SourceFilter = (record: SourceRecord) => boolean

/** The filter of a collection's source, and that of the request on top of it; null when all rows pass. */
export function sourceFilter(
  { source }: Pick<CollectionConfig, 'source'>,
  request: JsonObject | null,
): SourceFilter | null {
  const nodes = [unwrapped(source.source_filters ?? null), request]
    .map((filters) => parseFilter(filters, { profile: 'document' }))
    .filter((node) => node !== null)
  if (nodes.length === 0) return null
  return (record) => {
    const fields = record.kind === 'object' ? objectField : documentField
    const members = record.kind === 'object' ? objectMembers(record) : documentMembers(record)
    return nodes.every((node) => evaluateFilter(node, members, fields))
  }
}

/** `{filters: …}` is how it is stored; the bare filter is understood too. */
function unwrapped(source_filters: JsonObject | null): JsonObject | null {
  const inner = source_filters?.filters
  return isObject(inner) ? (inner as JsonObject) : source_filters
}

function objectMembers({ fields, blobs, object_id, bucket_id, key_prefix, created_at }: ObjectRecord) {
  return { ...fields, blobs, object_id, bucket_id, key_prefix, created_at }
}

function documentMembers({
  payload,
  internal,
  document_id,
  collection_id,
}: Extract<SourceRecord, { kind: 'document' }>) {
  return { ...payload, document_id, collection_id, _internal: internal }
}
