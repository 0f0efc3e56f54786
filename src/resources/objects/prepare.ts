import type { BucketSchema } from '../../core/bucket-schema.ts'
import { KuraError, ValidationError, valueError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import { checkObject, schemaValidationFailed, withDefaults } from '../../core/object-schema.ts'
import type { Scope } from '../../core/scope.ts'
import { type UniqueKey, uniqueKeyOf } from '../../core/unique-key.ts'
import { mapConcurrently } from '../../lib/concurrency.ts'
import type { Files, StagedFile } from '../../platform/files/files.ts'
import type { BucketRecord } from '../buckets/index.ts'
import type { BlobReader, PreparedBlob } from './blob-reader.ts'
import type { ObjectRequest } from './request.ts'

/** Blobs of one object that are fetched at the same time. */
const BLOBS_AT_ONCE = 4

export type Policy = 'insert' | 'update' | 'upsert'

/** An object whose bytes are durable, ready for the transaction that writes its row. */
export type PreparedObject = {
  request: ObjectRequest
  blobs: PreparedBlob[]
  /** Null in buckets without one. */
  key: (UniqueKey & { policy: Policy }) | null
}

/** What the request may do about an object with its unique key; null in buckets without one. */
export function resolvePolicy({ unique_key }: BucketRecord, asked: Policy | null | undefined): Policy | null {
  if (!unique_key) return null
  const policy = asked ?? unique_key.default_policy
  if (!policy) throw new KuraError('policy_required')
  return policy
}

export type PrepareOptions = {
  files: Files
  reader: BlobReader
  scope: Scope
  bucket: BucketRecord
  signal?: AbortSignal
}

/**
 * Checks a new object as far as it can be checked without the database and stages its blobs. On an
 * error nothing stays behind.
 */
export async function prepareNew(
  options: PrepareOptions,
  request: ObjectRequest,
  policy: Policy | null,
): Promise<PreparedObject> {
  const key = checkNew(options.bucket, request, policy)
  const blobs = await stageBlobs(options, request)
  return { request, blobs, key }
}

/** What can be told of a new object before its blobs are looked at; returns its key. */
export function checkNew(
  bucket: BucketRecord,
  request: ObjectRequest,
  policy: Policy | null,
): PreparedObject['key'] {
  for (const { source, loc } of request.blobs) {
    if ('kept_blob_id' in source) throw valueError([...loc, 'data'], 'Send exactly one of data and upload_id')
  }
  // Whether update and upsert meet an object, which may hold the rest, only the transaction knows.
  const isNew = policy === null || policy === 'insert'
  if (isNew) newFields(bucket.schema, request, propertiesOf(request))
  return policy ? keyOf(bucket, request, policy) : null
}

function keyOf({ unique_key, schema }: BucketRecord, request: ObjectRequest, policy: Policy) {
  const { fields, loc } = request
  const filled = schema ? withDefaults(schema, { fields, blob_properties: propertiesOf(request) }) : fields
  return { ...uniqueKeyOf(unique_key!, schema, filled, loc), policy }
}

/** Stages the blobs of an update; what the merged object looks like only the transaction knows. */
export async function prepareUpdate(
  options: PrepareOptions,
  request: ObjectRequest,
): Promise<PreparedObject> {
  return { request, blobs: await stageBlobs(options, request), key: null }
}

/** The fields of a new object, defaults filled in. Throws 422 when they do not fit the schema. */
export function newFields(
  schema: BucketSchema | null,
  { fields, loc }: ObjectRequest,
  blob_properties: ReadonlySet<string>,
): JsonObject {
  if (!schema) return fields
  const content = { fields: withDefaults(schema, { fields, blob_properties }), blob_properties }
  requireFit(schema, content, loc)
  return content.fields
}

export function requireFit(
  schema: BucketSchema | null,
  content: { fields: JsonObject; blob_properties: ReadonlySet<string> },
  loc: ObjectRequest['loc'],
): void {
  const violations = schema ? checkObject(schema, content, loc) : []
  if (violations.length > 0) throw schemaValidationFailed(violations)
}

/** Properties that the request gives blobs to; one whose place is open may be any of its candidates. */
function propertiesOf({ blobs }: ObjectRequest): ReadonlySet<string> {
  return new Set(blobs.flatMap(({ property, candidates }) => property ?? candidates))
}

async function stageBlobs(
  { files, reader, scope, bucket, signal }: PrepareOptions,
  { blobs }: ObjectRequest,
): Promise<PreparedBlob[]> {
  const options = { bucket_id: bucket.bucket_id, storage_class: bucket.storage_class, signal }
  const settled = await mapConcurrently(blobs, BLOBS_AT_ONCE, (blob) =>
    reader.read(scope, bucket.schema, blob, options).then(
      (prepared) => ({ prepared }),
      (error: unknown) => ({ error }),
    ),
  )
  const prepared = settled.flatMap((one) => ('prepared' in one ? [one.prepared] : []))
  const errors = settled.flatMap((one) => ('error' in one ? [one.error] : []))
  if (errors.length === 0) return prepared
  await files.discard(stagedFiles(prepared))
  throw together(errors)
}

/** Several faults of shape are told at once; otherwise the first error speaks. */
function together(errors: unknown[]): unknown {
  const [first] = errors
  if (!errors.every((error) => error instanceof ValidationError && error.code === 'validation_error'))
    return first
  return new ValidationError((errors as ValidationError[]).flatMap(({ violations }) => violations))
}

export const stagedFiles = (blobs: readonly PreparedBlob[]): StagedFile[] =>
  blobs.flatMap((blob) => (blob.kind === 'entry' && blob.staged ? [blob.staged] : []))
