import type { BlobEntry } from '../blob-entry.ts'
import { isObject, type JsonObject, type JsonValue } from '../json.ts'
import {
  type CollectionConfig,
  type FeatureExtractorConfig,
  type FieldPassthrough,
  type FieldsSchema,
  PASSTHROUGH_EXTRACTOR,
} from './config.ts'
import { findInRecord, parseFieldPath, valueAt } from './field-path.ts'
import { blobJson, type MappedInput } from './mapping.ts'
import type { ObjectRecord, SourceRecord } from './record.ts'

/** Root members of a document that the system writes. */
export const SYSTEM_FIELDS: ReadonlySet<string> = new Set([
  'document_id',
  'collection_id',
  '_internal',
  'document_blobs',
])

/** `field_passthrough` empty means "all" for the extractor that only copies. */
export function copiesAll({
  feature_extractor_name,
  field_passthrough,
  include_all_source_fields,
}: Pick<
  FeatureExtractorConfig,
  'feature_extractor_name' | 'field_passthrough' | 'include_all_source_fields'
>): boolean {
  if (include_all_source_fields) return true
  return feature_extractor_name === PASSTHROUGH_EXTRACTOR && field_passthrough.length === 0
}

/** Where a passed field goes: `target_path`, else the last segment of `source_path`. */
export function targetOf({ source_path, target_path }: FieldPassthrough): string {
  return target_path || source_path.slice(source_path.lastIndexOf('.') + 1)
}

export type Passed = {
  fields: JsonObject
  /** Source paths that are `required` and have neither value nor default: the row fails. */
  missing_required: string[]
}

/**
 * The fields that a document takes over from its source. `row` is the input it was made from: of
 * several blobs under one property the document shows the one it comes from.
 */
export function passthroughFields(
  config: Pick<CollectionConfig, 'feature_extractor' | 'input_schema' | 'vector_indexes'>,
  record: SourceRecord,
  row: Pick<MappedInput, 'blob_id'> = { blob_id: null },
): Passed {
  const { feature_extractor, input_schema, vector_indexes } = config
  const fields = copiesAll(feature_extractor) ? allFields(record, row.blob_id) : {}
  const missing_required: string[] = []
  // Vectors are copied beside the fields, under their own names.
  const vectors = new Set(vector_indexes.map(({ index }) => index.name))
  const list = feature_extractor.field_passthrough.filter(({ source_path }) => !vectors.has(source_path))
  const values = list.map((entry) => valueFor(entry, record, input_schema, row.blob_id))
  // All old names go before any new one comes, so that two fields can swap names.
  for (const { source_path } of list) removeAt(fields, parseFieldPath(source_path, input_schema).segments)
  for (const [i, entry] of list.entries()) {
    const value = values[i]
    if (value !== undefined) setAt(fields, targetOf(entry).split('.'), value)
    else if (entry.required) missing_required.push(entry.source_path)
  }
  return { fields, missing_required }
}

function valueFor(
  { source_path, default: fallback }: FieldPassthrough,
  record: SourceRecord,
  schema: FieldsSchema,
  blob_id: string | null,
): JsonValue | undefined {
  const path = parseFieldPath(source_path, schema)
  const found = findInRecord(record, path)
  if (found && 'blobs' in found) return blobsValue(found.blobs, blob_id)
  if (found) return found.value
  const own = record.kind === 'object' ? record.blobs.find((blob) => blob.blob_id === blob_id) : undefined
  return valueAt(own?.metadata ?? undefined, path.segments) ?? fallback ?? undefined
}

function allFields(record: SourceRecord, blob_id: string | null): JsonObject {
  if (record.kind === 'object') return allOfObject(record, blob_id)
  const members = Object.entries(record.payload)
  return Object.fromEntries(members.filter(([key]) => !SYSTEM_FIELDS.has(key) && !key.startsWith('__')))
}

/** Metadata comes to the root of the document; metadata of a blob only to the documents made from it. */
function allOfObject({ fields, blobs }: ObjectRecord, blob_id: string | null): JsonObject {
  const { metadata, ...root } = fields
  const own = blobs.find((blob) => blob.blob_id === blob_id)
  const byProperty = Object.groupBy(blobs, ({ property }) => property)
  return {
    ...own?.metadata,
    ...(isObject(metadata) ? (metadata as JsonObject) : metadata !== undefined && { metadata }),
    ...root,
    ...Object.fromEntries(
      Object.entries(byProperty).map(([property, some]) => [property, blobsValue(some!, blob_id)]),
    ),
  }
}

function blobsValue(blobs: readonly BlobEntry[], blob_id: string | null): JsonValue {
  const own = blobs.find((blob) => blob.blob_id === blob_id)
  if (own || blobs.length === 1) return blobValue(own ?? blobs[0]!)
  return blobs.map(blobValue)
}

/** Text as itself, inline JSON as itself, a file as its URL. */
function blobValue(blob: BlobEntry): JsonValue {
  const { text, url } = blob.properties
  if (blob.type === 'text' && typeof text === 'string') return text
  if (typeof url === 'string') return url
  return blob.source_url ?? blobJson(blob)
}

function setAt(target: JsonObject, [head, ...rest]: string[], value: JsonValue): void {
  if (head === undefined) return
  if (rest.length === 0) {
    target[head] = value
    return
  }
  // Copied on the way: what is nested may belong to the source record.
  const nested = { ...(isObject(target[head]) ? (target[head] as JsonObject) : {}) }
  target[head] = nested
  setAt(nested, rest, value)
}

function removeAt(target: JsonObject, [head, ...rest]: string[]): void {
  if (head === undefined || !Object.hasOwn(target, head)) return
  if (rest.length === 0) {
    delete target[head]
    return
  }
  if (!isObject(target[head])) return
  const nested = { ...(target[head] as JsonObject) }
  target[head] = nested
  removeAt(nested, rest)
}
