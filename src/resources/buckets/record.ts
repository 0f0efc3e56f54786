import type { BucketSchema, UniqueKeyConfig } from '../../core/bucket-schema.ts'
import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'

/** What other resources need to know of a bucket. */
export type BucketRecord = {
  bucket_id: string
  bucket_name: string
  status: string
  is_locked: boolean
  storage_class: string | null
  /** Null in old buckets, which take any property. */
  schema: BucketSchema | null
  /** Objects that were checked against another version must be checked again. */
  schema_version: number
  unique_key: UniqueKeyConfig | null
  object_count: number
}

/** While a bucket has this status it is being deleted: readable, not writable. */
export const DELETING = 'IN_PROGRESS'

/** The bucket with this id, else with this name; throws `bucket_not_found`. */
export async function findBucket(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  identifier: string,
): Promise<BucketRecord> {
  const rows = await db
    .selectFrom('buckets')
    .select([
      'bucket_id',
      'bucket_name',
      'status',
      'is_locked',
      'storage_class',
      'bucket_schema',
      'schema_version',
      'unique_key',
      'object_count',
    ])
    .where('namespace_id', '=', namespaceId)
    .where((eb) => eb.or([eb('bucket_id', '=', identifier), eb('bucket_name', '=', identifier)]))
    .execute()
  // A bucket may bear the id of another as its name; the id wins.
  const row = rows.find(({ bucket_id }) => bucket_id === identifier) ?? rows[0]
  if (!row) throw bucketNotFound(identifier)
  const { bucket_schema, unique_key, is_locked, ...rest } = row
  return {
    ...rest,
    is_locked: is_locked === 1,
    schema: bucket_schema === null ? null : JSON.parse(bucket_schema),
    unique_key: unique_key === null ? null : JSON.parse(unique_key),
  }
}

export const bucketNotFound = (identifier: string) =>
  new KuraError('bucket_not_found', { resource: 'bucket', id: identifier })

/** Throws unless objects, uploads and batches of the bucket may change now. */
export function requireWritable(bucket: Pick<BucketRecord, 'is_locked' | 'status'>): void {
  if (bucket.is_locked) throw new KuraError('bucket_locked')
  requireActive(bucket)
}

/** Throws unless the bucket itself may change; a lock is about its contents. */
export function requireActive({ status }: { status: string }): void {
  if (status === DELETING) throw new KuraError('resource_deleting', { resource: 'bucket' })
  if (status !== 'ACTIVE') throw new KuraError('bucket_inactive', { status })
}
