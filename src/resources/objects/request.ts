import { type BucketSchema, type FieldType, isFileType } from '../../core/bucket-schema.ts'
import { ValidationError, type Violation } from '../../core/errors.ts'
import type { JsonObject, JsonValue } from '../../core/json.ts'
import type { StagedFile } from '../../platform/files/files.ts'
import type { CreateBlobRequest, RootBlob } from './schemas.ts'

type Loc = (string | number)[]

/** One blob as asked for, its place in the schema checked, its source not yet looked at. */
export type BlobRequest = {
  /** Null for a root `blob` whose property only its content can tell; see `candidates`. */
  property: string | null
  /** The type of the schema field; null in buckets without a schema when the client names none. */
  type: FieldType | null
  /** Properties that may take it, when `property` is null. */
  candidates: string[]
  source: { data: JsonValue } | { upload_id: string } | { kept_blob_id: string } | { staged: StagedFile }
  key_prefix: string | null
  metadata: JsonObject | null
  /** Copy bytes behind a URL into our store, instead of keeping the address. */
  canonicalize: boolean
  force_remirror: boolean
  loc: Loc
}

/** An object as asked for. */
export type ObjectRequest = {
  /** Members of the user, `metadata` among them. */
  fields: JsonObject
  /** Undefined when the request does not speak of it. */
  key_prefix: string | null | undefined
  blobs: BlobRequest[]
  skip_duplicates: boolean
  loc: Loc
}

/** Members that are ours: consumed here, or ignored, since clients send back what they were given. */
const RESERVED = new Set([
  'object_id',
  'bucket_id',
  'namespace_id',
  'key_prefix',
  'blobs',
  'blob',
  'source_details',
  'status',
  'error',
  'created_at',
  'updated_at',
  'content_hash',
  'skip_duplicates',
  'canonicalize_source',
  'force_remirror',
])

type Body = {
  key_prefix?: string | null
  blobs?: CreateBlobRequest[] | null
  blob?: RootBlob | null
  skip_duplicates?: boolean | null
  canonicalize_source: boolean
  force_remirror: boolean
}

/** Splits a checked body into fields and blobs; throws with every violation of names and places. */
export function readObject(schema: BucketSchema | null, body: Body, loc: Loc): ObjectRequest {
  const violations: Violation[] = []
  const fields: JsonObject = {}
  const blobs: BlobRequest[] = []
  const read = (blob: RootBlob & { blob_id?: string | null }, place: Loc) => {
    const request = readBlob(schema, body, blob, place, violations)
    if (request) blobs.push(request)
  }
  for (const [i, blob] of (body.blobs ?? []).entries()) read(blob, [...loc, 'blobs', i])
  if (body.blob) read(body.blob, [...loc, 'blob'])
  for (const [name, value] of Object.entries(body as Record<string, unknown>)) {
    if (RESERVED.has(name)) continue
    const place = [...loc, name]
    if (name.startsWith('_'))
      refuse(violations, place, 'Names that start with an underscore are reserved for the server')
    const type = schema && Object.hasOwn(schema.properties, name) ? schema.properties[name]!.type : null
    if (type && isShorthand(type, value))
      for (const data of [value].flat()) read({ property: name, data }, place)
    else fields[name] = value as JsonValue
  }
  checkKeyPrefix(body.key_prefix, [...loc, 'key_prefix'], violations)
  if (violations.length > 0) throw new ValidationError(violations)
  return { fields, key_prefix: body.key_prefix, blobs, skip_duplicates: body.skip_duplicates ?? false, loc }
}

/** A root value of a file property stands for a blob; text stays a field and feeds extractors alike. */
function isShorthand(type: FieldType, value: unknown): boolean {
  return isFileType(type) && type !== 'text' && value !== null && value !== undefined
}

function readBlob(
  schema: BucketSchema | null,
  body: Body,
  blob: RootBlob & { blob_id?: string | null },
  loc: Loc,
  violations: Violation[],
): BlobRequest | null {
  const source = sourceOf(blob)
  if (!source) refuse(violations, [...loc, 'data'], 'Send exactly one of data and upload_id')
  checkKeyPrefix(blob.key_prefix, [...loc, 'key_prefix'], violations)
  const place =
    blob.property === undefined ? placeOf(schema, blob.type) : declared(schema, blob, loc, violations)
  if (!source || !place) return null
  return {
    ...place,
    source,
    key_prefix: blob.key_prefix ?? null,
    metadata: (blob.metadata as JsonObject | null | undefined) ?? null,
    canonicalize: blob.canonicalize_source ?? body.canonicalize_source,
    force_remirror: blob.force_remirror ?? body.force_remirror,
    loc,
  }
}

function sourceOf(blob: RootBlob & { blob_id?: string | null }): BlobRequest['source'] | null {
  const hasData = blob.data !== undefined && blob.data !== null
  if (hasData && blob.upload_id) return null
  if (hasData) return { data: blob.data as JsonValue }
  if (blob.upload_id) return { upload_id: blob.upload_id }
  return blob.blob_id ? { kept_blob_id: blob.blob_id } : null
}

type Place = Pick<BlobRequest, 'property' | 'type' | 'candidates'>

function declared(
  schema: BucketSchema | null,
  { property, type }: RootBlob,
  loc: Loc,
  violations: Violation[],
): Place | null {
  const name = property!
  if (!schema) return { property: name, type: type ?? null, candidates: [] }
  if (!Object.hasOwn(schema.properties, name)) {
    const names = Object.keys(schema.properties).join(', ') || 'none'
    return refuse(
      violations,
      [...loc, 'property'],
      `"${name}" is not a property of the bucket schema (${names})`,
    )
  }
  const field = schema.properties[name]!
  if (type !== undefined && type !== field.type)
    return refuse(violations, [...loc, 'type'], `Property "${name}" has the type ${field.type}, not ${type}`)
  return { property: name, type: field.type, candidates: [] }
}

/** Where a root `blob` without a property belongs: `content`, else the only file property, else its content tells. */
function placeOf(schema: BucketSchema | null, type: FieldType | undefined): Place {
  if (!schema) return { property: 'content', type: type ?? null, candidates: [] }
  const candidates = Object.entries(schema.properties)
    .filter(([, field]) => isFileType(field.type) && (type === undefined || field.type === type))
    .map(([name]) => name)
  const property = candidates.includes('content')
    ? 'content'
    : candidates.length === 1
      ? candidates[0]!
      : null
  return { property, type: property === null ? null : schema.properties[property]!.type, candidates }
}

/** As long as the keys of an object store may be. */
const KEY_PREFIX_BYTES_MAX = 1024

/**
 * A key prefix is a name and no place in a file system (bytes lie under ids of ours), so it is kept as
 * given: any normal form, names that Windows reserves, leading slashes. Refused is what another tool
 * that copies objects to a disk or a store could be hurt by.
 */
function checkKeyPrefix(key_prefix: string | null | undefined, loc: Loc, violations: Violation[]): void {
  if (!key_prefix) return
  if (key_prefix.split(/[/\\]/).some((segment) => segment.trim() === '..'))
    refuse(violations, loc, 'A key prefix may not lead upwards (..)')
  if (/\p{Cc}/u.test(key_prefix) || !key_prefix.isWellFormed())
    refuse(violations, loc, 'A key prefix may not hold control characters or unpaired surrogates')
  if (Buffer.byteLength(key_prefix) > KEY_PREFIX_BYTES_MAX)
    refuse(violations, loc, `A key prefix may have at most ${KEY_PREFIX_BYTES_MAX} bytes in UTF-8`)
}

function refuse(violations: Violation[], loc: Loc, msg: string): null {
  violations.push({ loc, msg, type: 'value_error' })
  return null
}
