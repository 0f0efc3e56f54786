import { type BucketSchema, canonicalFieldType, isFileType } from '../../core/bucket-schema.ts'
import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import type { UniqueKey } from '../../core/unique-key.ts'
import { fitsBlobType, mimeOfFilename, normalizeMime } from '../../platform/media/mime.ts'
import type { BucketRecord } from '../buckets/index.ts'
import type { NewObject, ObjectCreator } from '../objects/index.ts'
import type { CreateUploadBody, Policy } from './schemas.ts'

type Loc = (string | number)[]

/** What is settled about an upload before it exists. */
export type CheckedUpload = {
  body: CreateUploadBody
  blob_property: string | null
  blob_type: string | null
  /** Of the object that the confirmation creates; null where the bucket has none or no object is made. */
  key: (UniqueKey & { policy: Policy }) | null
}

// Control characters make names that no terminal, header or file system shows as they are.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const BAD_FILENAME = /[/\\\u0000-\u001f\u007f-\u009f]|\.\./
const MIME = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;\s*[\x20-\x7e]*)?$/

/** Stands for the file while the object is checked that will hold it. */
const PLACEHOLDER = 'kura://files/file_0'

/** Checks an upload as far as it can be checked without its bytes. Throws what is wrong with it. */
export function checkUpload(
  objects: Pick<ObjectCreator, 'check'>,
  bucket: BucketRecord,
  body: CreateUploadBody,
  { policy, loc, limit_bytes }: { policy: Policy | null; loc: Loc; limit_bytes: number },
): CheckedUpload {
  const violations: Violation[] = []
  const { filename, content_type } = body
  const refuse = (member: string, msg: string) =>
    void violations.push({ loc: [...loc, member], msg, type: 'value_error' })
  if (BAD_FILENAME.test(filename) || filename.trim() === '' || filename === '.')
    refuse('filename', 'A file name may not contain "/", "\\", ".." or control characters')
  if (!MIME.test(content_type)) refuse('content_type', 'Input should be a MIME type such as image/png')
  if (violations.length > 0) throw new ValidationError(violations)
  if ((body.file_size_bytes ?? 0) > limit_bytes) throw new KuraError('upload_too_large', { limit_bytes })
  if (!body.create_object_on_confirm)
    return { body, blob_property: body.blob_property ?? null, blob_type: body.blob_type ?? null, key: null }

  const place = placeOf(bucket.schema, body, loc)
  const object = objectOf(
    { ...place, object_metadata: body.object_metadata ?? null, policy },
    PLACEHOLDER,
    loc,
  )
  return { body, ...place, key: checkObject(objects, bucket, object) }
}

/** The object that an upload becomes; `address` is that of its file. */
export function objectOf(
  upload: {
    blob_property: string | null
    blob_type: string | null
    object_metadata: Record<string, unknown> | null
    policy: Policy | null
  },
  address: string,
  loc: Loc = ['body'],
): NewObject {
  const { blobs: _, blob: __, ...fields } = upload.object_metadata ?? {}
  const blob = {
    property: upload.blob_property,
    data: address,
    ...(upload.blob_type !== null && { type: upload.blob_type }),
  }
  return { body: { ...fields, blobs: [blob] }, policy: upload.policy, loc: [...loc, 'object_metadata'] }
}

function checkObject(objects: Pick<ObjectCreator, 'check'>, bucket: BucketRecord, object: NewObject) {
  try {
    return objects.check(bucket, object)
  } catch (error) {
    const properties = missingBlobs(bucket.schema, error)
    if (properties.length > 0) throw new KuraError('object_incomplete', { properties })
    throw error
  }
}

/** Required blobs, when nothing else is wrong with the object: no field can make up for them. */
function missingBlobs(schema: BucketSchema | null, error: unknown): string[] {
  if (!(error instanceof ValidationError) || !schema) return []
  const names = error.violations.map(({ loc, type }) => (type === 'missing' ? String(loc.at(-1)) : ''))
  const isFile = (name: string) =>
    Object.hasOwn(schema.properties, name) && isFileType(schema.properties[name]!.type)
  return names.every(isFile) ? names : []
}

/** The property that takes the file and its type. Throws `blob_property_unknown`, `blob_type_mismatch`. */
function placeOf(
  schema: BucketSchema | null,
  { filename, content_type, blob_property, blob_type }: CreateUploadBody,
  loc: Loc,
): { blob_property: string; blob_type: string | null } {
  const stem = filename.replace(/\.[^.]*$/, '')
  const mime = declaredMime(content_type, filename)
  const asked = blob_type ? canonicalFieldType(blob_type) : null
  if (!schema) {
    const property = blob_property ?? (/^[a-zA-Z0-9_]+$/.test(stem) ? stem : 'content')
    return { blob_property: property, blob_type: asked }
  }
  const property =
    blob_property ?? (Object.hasOwn(schema.properties, stem) ? stem : onlyFitting(schema, mime))
  const field =
    property !== null && Object.hasOwn(schema.properties, property) ? schema.properties[property] : undefined
  if (property === null || !field || !isFileType(field.type)) {
    const properties = Object.keys(schema.properties).filter((name) =>
      isFileType(schema.properties[name]!.type),
    )
    throw new KuraError('blob_property_unknown', { properties })
  }
  if (asked !== null && asked !== field.type) {
    const msg = `Property "${property}" has the type ${field.type}, not ${asked}`
    throw new ValidationError([{ loc: [...loc, 'blob_type'], msg, type: 'value_error' }])
  }
  if (mime !== null && !fitsBlobType(mime, field.type))
    throw new KuraError('blob_type_mismatch', { property, found: mime, expected: field.type })
  return { blob_property: property, blob_type: field.type }
}

function onlyFitting({ properties }: BucketSchema, mime: string | null): string | null {
  const fitting = Object.entries(properties)
    .filter(([, { type }]) => isFileType(type) && (mime === null || fitsBlobType(mime, type)))
    .map(([name]) => name)
  return fitting.length === 1 ? fitting[0]! : null
}

/** "Some bytes" says nothing; the name may, and otherwise the bytes will. */
function declaredMime(content_type: string, filename: string): string | null {
  const declared = normalizeMime(content_type)
  return declared === 'application/octet-stream' ? mimeOfFilename(filename) : declared
}
