import type { BlobEntry } from '../blob-entry.ts'
import type { JsonValue } from '../json.ts'
import type { CollectionConfig, ExtractorShape, FieldsSchema, InputMapping } from './config.ts'
import { findInRecord, isBlank, parseFieldPath, schemaAt } from './field-path.ts'
import type { SourceRecord } from './record.ts'

/** The value of a mapped input; who runs the extractor loads files and URLs. */
export type MappedValue =
  | { kind: 'text'; text: string }
  | { kind: 'blob'; blob: BlobEntry }
  /** `type` is the declared type of the field, or null where only a URL is known. */
  | { kind: 'url'; url: string; type: string | null }
  | { kind: 'json'; value: JsonValue }
  /** A value that cannot feed the input; it fails the row. */
  | { kind: 'invalid'; reason: string }

/** One run of the extractor: each mapped input, and each blob under one property, is its own. */
export type MappedInput = {
  /** Empty for extractors that take the record as it is. */
  input_key: string
  /** Place among the blobs of one property; 0 for all other values. */
  blob_ordinal: number
  /** The blob that the value comes from, if it comes from one. */
  blob_id: string | null
  value: MappedValue
}

const TEXT_TYPES = new Set(['string', 'text'])
const MEDIA_TYPES = new Set(['image', 'audio', 'video', 'pdf', 'excel'])
const URL_LIKE = /^(?:https?:\/\/|s3:\/\/|gs:\/\/|kura:\/\/|data:)/i

/**
 * The inputs that one row gives to the extractor, in the order of the mappings. Empty: the row has
 * none of its mapped values and is skipped, which is no failure.
 */
export function mapInputs(
  { feature_extractor, input_schema }: Pick<CollectionConfig, 'feature_extractor' | 'input_schema'>,
  record: SourceRecord,
  inputs: ExtractorShape['inputs'],
): MappedInput[] {
  const { input_mappings: mappings } = feature_extractor
  const mapped = mappings.flatMap((mapping) =>
    inputsOf(mapping, record, input_schema, inputs[mapping.input_key]?.accepts ?? []),
  )
  // A literal is there for every row; it must not make a row of one that lacks all of its own values.
  const fromRecord = mappings.filter(({ source_type }) => source_type !== 'literal')
  const keysFromRecord = new Set(fromRecord.map(({ input_key }) => input_key))
  const isMissing = fromRecord.length > 0 && !mapped.some(({ input_key }) => keysFromRecord.has(input_key))
  if (isMissing) return []
  if (Object.keys(inputs).length > 0) return mapped
  return [{ input_key: '', blob_ordinal: 0, blob_id: null, value: { kind: 'json', value: null } }]
}

/** Whether documents of one row can come from more than one input, which then is part of their ids. */
export function mapsSeveralInputs({
  feature_extractor,
}: Pick<CollectionConfig, 'feature_extractor'>): boolean {
  return new Set(feature_extractor.input_mappings.map(({ input_key }) => input_key)).size > 1
}

function inputsOf(
  mapping: InputMapping,
  record: SourceRecord,
  schema: FieldsSchema,
  accepts: readonly string[],
): MappedInput[] {
  const { input_key } = mapping
  if (mapping.source_type === 'vector') return []
  if (mapping.source_type === 'literal') {
    if (isBlank(mapping.override)) return []
    return [{ input_key, blob_ordinal: 0, blob_id: null, value: asInput(mapping.override, null, accepts) }]
  }
  const path = parseFieldPath(mapping.path, schema)
  const found = findInRecord(record, path)
  if (!found) return []
  if ('blobs' in found)
    return found.blobs.flatMap((blob, blob_ordinal) => {
      const value = blobInput(blob)
      return value ? [{ input_key, blob_ordinal, blob_id: blob.blob_id, value }] : []
    })
  if (isBlank(found.value)) return []
  const type = schemaAt(schema, path.segments)?.type ?? null
  return [{ input_key, blob_ordinal: 0, blob_id: null, value: asInput(found.value, type, accepts) }]
}

/** Text given inline is text; everything else with bytes behind it is the file; the rest is inline JSON. */
function blobInput(blob: BlobEntry): MappedValue | null {
  const { text } = blob.properties
  if (blob.type === 'text' && typeof text === 'string')
    return text.trim() === '' ? null : { kind: 'text', text }
  if (blob.file_id !== null || blob.source_url !== null) return { kind: 'blob', blob }
  const value = blobJson(blob)
  return isBlank(value) ? null : { kind: 'json', value }
}

/** The value of an inline JSON blob: members of an object merge into `properties`, anything else is its `data`. */
export function blobJson({ properties }: BlobEntry): JsonValue {
  const { data, ...rest } = properties
  return data !== undefined && Object.keys(rest).length === 0 ? data : properties
}

/** The declared type decides what a string means; without one, the types that the input accepts. */
function asInput(value: JsonValue, type: string | null, accepts: readonly string[]): MappedValue {
  const takesText = accepts.some((one) => TEXT_TYPES.has(one))
  if (typeof value === 'string') {
    if (type !== null && MEDIA_TYPES.has(type)) return urlInput(value, type)
    if (takesText || accepts.length === 0) return { kind: 'text', text: value }
    if (accepts.some((one) => MEDIA_TYPES.has(one))) return urlInput(value, null)
    return { kind: 'json', value }
  }
  if (takesText && (typeof value === 'number' || typeof value === 'boolean'))
    return { kind: 'text', text: String(value) }
  if (accepts.includes('json') || accepts.length === 0) return { kind: 'json', value }
  return { kind: 'invalid', reason: `The mapped value is JSON, but the input takes ${accepts.join(', ')}.` }
}

function urlInput(text: string, type: string | null): MappedValue {
  if (URL_LIKE.test(text)) return { kind: 'url', url: text, type }
  return {
    kind: 'invalid',
    reason: 'The mapped value must be a URL (http, https, s3, gs, data or one of this server).',
  }
}
