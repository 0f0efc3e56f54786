import type { BlobEntry } from '../blob-entry.ts'
import { isObject, type JsonValue } from '../json.ts'
import type { FieldSchema, FieldsSchema } from './config.ts'
import type { ObjectRecord, SourceRecord } from './record.ts'

/** A dotted path of a mapping or passthrough, its optional prefix taken off. */
export type FieldPath = { segments: string[]; prefix: 'payload' | 'metadata' | 'blobs' | null }

const PREFIX = /^(payload|metadata|blobs)\./

/** Clients write `$.x`, `payload.x`, `metadata.x`, `blobs.x` for `x`; a field of that name keeps its meaning. */
export function parseFieldPath(path: string, schema: FieldsSchema): FieldPath {
  const bare = path.startsWith('$.') ? path.slice(2) : path
  const prefix = PREFIX.exec(bare)?.[1] as FieldPath['prefix'] | undefined
  if (!prefix || Object.hasOwn(schema.properties, prefix)) return { segments: bare.split('.'), prefix: null }
  return { segments: bare.slice(prefix.length + 1).split('.'), prefix }
}

/** The schema of the field a path leads to; undefined when the schema does not reach that far. */
export function schemaAt(schema: FieldsSchema, segments: readonly string[]): FieldSchema | undefined {
  let fields: Record<string, FieldSchema> | null | undefined = schema.properties
  let found: FieldSchema | undefined
  for (const segment of segments) {
    found = fields && Object.hasOwn(fields, segment) ? fields[segment] : undefined
    fields = found?.properties ?? found?.items?.properties
  }
  return found
}

/** What a path finds in a record: blobs of an object, or a value; undefined when nothing is there. */
export type Found = { blobs: readonly BlobEntry[] } | { value: JsonValue } | undefined

/** Objects: the blob property first, then the member, at the root or under `metadata`. */
export function findInRecord(record: SourceRecord, path: FieldPath): Found {
  if (record.kind === 'document') return asFound(valueAt(record.payload, path.segments))
  const [head, ...rest] = path.segments
  const blobs = record.blobs.filter(({ property }) => property === head)
  if (blobs.length > 0 && rest.length === 0) return { blobs }
  return asFound(blobs.length > 0 ? valueAt(blobs[0]!.properties, rest) : fieldOf(record, path))
}

/** `x` is the root member or else the one under `metadata`; written `metadata.x` it is the other way round. */
function fieldOf({ fields }: ObjectRecord, { segments, prefix }: FieldPath): JsonValue | undefined {
  const root = valueAt(fields, segments)
  if (prefix !== 'metadata' && root !== undefined) return root
  return valueAt(fields.metadata, segments) ?? root
}

const asFound = (value: JsonValue | undefined): Found => (value === undefined ? undefined : { value })

/** Follows a path; through a list it collects the value of every element that has one. */
export function valueAt(value: JsonValue | undefined, segments: readonly string[]): JsonValue | undefined {
  const [head, ...rest] = segments
  if (head === undefined || value === undefined) return value
  if (Array.isArray(value)) {
    if (/^\d+$/.test(head)) return valueAt(value[Number(head)], rest)
    const found = value.map((item) => valueAt(item, segments)).filter((item) => item !== undefined)
    return found.length > 0 ? found : undefined
  }
  if (!isObject(value) || !Object.hasOwn(value, head)) return undefined
  return valueAt(value[head] as JsonValue, rest)
}

/** What counts as no input: absent, null, blank text, an empty list or object. */
export function isBlank(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null) return true
  if (typeof value === 'string') return value.trim() === ''
  if (typeof value === 'object') return Object.keys(value).length === 0
  return false
}
