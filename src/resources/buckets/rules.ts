import type { BucketSchema } from '../../core/bucket-schema.ts'
import { checkBucketSchema, checkUniqueKey, schemaIncompatibility } from '../../core/bucket-schema-rules.ts'
import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { canonicalJson, isObject } from '../../core/json.ts'
import { checkName } from '../../core/names.ts'
import { type Caller, PERMISSIONS } from '../../core/permissions.ts'
import type { CreateBucketBody, PatchBucketBody } from './schemas.ts'
import type { BucketRow } from './store.ts'

/** Path segments that stand where a bucket identifier may: such a bucket could not be reached. */
const RESERVED_NAMES = ['list']

const METADATA_JSON_MAX = 64 * 1024

/** Checks what a schema cannot say of a new or changed bucket; returns the trimmed name. Throws 422, `reserved_name`. */
export function checkBucket(
  body: Partial<Pick<CreateBucketBody, 'bucket_name' | 'bucket_schema' | 'unique_key' | 'metadata'>>,
  extra: { source_adapter?: unknown } = {},
): { bucket_name?: string } {
  const violations: Violation[] = []
  const { bucket_schema, unique_key, metadata } = body
  const bucket_name =
    body.bucket_name === undefined
      ? undefined
      : checkName(body.bucket_name, ['body', 'bucket_name'], violations, RESERVED_NAMES)
  if (bucket_schema) checkBucketSchema(bucket_schema, ['body', 'bucket_schema'], violations)
  if (bucket_schema && unique_key)
    checkUniqueKey(unique_key, bucket_schema, ['body', 'unique_key'], violations)
  checkJsonSize(metadata, 'metadata', violations)
  checkJsonSize(extra.source_adapter, 'source_adapter', violations)
  if (violations.length > 0) throw new ValidationError(violations)
  return bucket_name === undefined ? {} : { bucket_name }
}

export function checkJsonSize(value: unknown, member: string, violations: Violation[]): void {
  if (value === undefined || value === null || Buffer.byteLength(JSON.stringify(value)) <= METADATA_JSON_MAX)
    return
  const msg = `May be at most ${METADATA_JSON_MAX} bytes of JSON`
  violations.push({ loc: ['body', member], msg, type: 'value_error' })
}

/** Locking is for administrators. Saying what is already so is no change: clients send back what they got. */
export function checkLock(caller: Caller, wanted: boolean | undefined, current: boolean): void {
  if (wanted !== undefined && wanted !== current) requireAdmin(caller)
}

/** What an administrator may make of a bucket that is not being deleted. */
const OPERATOR_STATUSES: readonly string[] = ['ACTIVE', 'ARCHIVED', 'SUSPENDED']

/**
 * The new status of a bucket, or undefined when it stays. Archived and suspended buckets are read only;
 * administrators set that and take it back. Throws `permission_denied`, 422.
 */
export function checkStatus(
  caller: Caller,
  wanted: string | null | undefined,
  current: string,
): string | undefined {
  if (wanted === undefined || wanted === null || wanted === current) return undefined
  if (!OPERATOR_STATUSES.includes(wanted))
    throw new ValidationError([
      { loc: ['body', 'status'], msg: "Input should be 'ACTIVE', 'ARCHIVED' or 'SUSPENDED'", type: 'enum' },
    ])
  requireAdmin(caller)
  return wanted
}

function requireAdmin({ permission }: Caller): void {
  if (PERMISSIONS.indexOf(permission) < PERMISSIONS.indexOf('admin'))
    throw new KuraError('permission_denied', { permission: 'admin' })
}

/** The unique key may be repeated as it is, and nothing else. */
export function checkUniqueKeyUnchanged(wanted: unknown, row: BucketRow): void {
  if (wanted === undefined || wanted === null) return
  const current = row.unique_key === null ? null : JSON.parse(row.unique_key)
  if (canonicalJson(withoutNulls(wanted)) !== canonicalJson(withoutNulls(current)))
    throw new KuraError('unique_key_immutable')
}

const withoutNulls = (value: unknown) =>
  isObject(value) ? Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null)) : value

/**
 * The columns of a new schema. Stored objects must fit it, and the unique key must stay possible: else
 * throws `schema_incompatible`. In an empty bucket anything goes, but objects may be on their way that
 * were checked against the old schema: a new version tells them.
 */
export function schemaChange(
  wanted: BucketSchema,
  row: BucketRow,
): Pick<BucketRow, 'bucket_schema' | 'schema_version'> {
  if (row.unique_key !== null) {
    const violations: Violation[] = []
    checkUniqueKey(JSON.parse(row.unique_key), wanted, ['body', 'bucket_schema'], violations)
    if (violations.length > 0)
      throw new KuraError('schema_incompatible', { reason: `unique key: ${violations[0]!.msg}` })
  }
  const reason =
    row.bucket_schema === null
      ? 'its objects were stored without a schema'
      : schemaIncompatibility(JSON.parse(row.bucket_schema), wanted)
  if (reason !== null && row.object_count > 0) throw new KuraError('schema_incompatible', { reason })
  const schema_version = row.schema_version + (reason === null ? 0 : 1)
  return { bucket_schema: JSON.stringify(wanted), schema_version }
}

/** Whether a PATCH says anything; null means something only where it clears a member. */
export function isEmptyPatch(patch: PatchBucketBody): boolean {
  const clearable = ['description', 'storage_class', 'source_adapter']
  return !Object.entries(patch).some(
    ([key, value]) => value !== undefined && (value !== null || clearable.includes(key)),
  )
}

const SECRET_NAME =
  /secret|token|password|passwd|credential|private|signature|authorization|api_?key|access_?key/i
const MASK = '*'.repeat(40)

/** Secret-like values of an adapter are not kept with the bucket; adapters of ours keep them sealed elsewhere. */
export function maskSecrets(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => maskSecrets(item, name))
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, maskSecrets(member, key)]))
  return typeof value === 'string' && SECRET_NAME.test(name) ? MASK : value
}
