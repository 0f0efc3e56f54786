import { BucketSchema } from '../../src/core/bucket-schema.ts'
import { newId } from '../../src/core/ids.ts'
import { timestamp } from '../../src/core/time.ts'
import { validator } from '../../src/core/validation.ts'
import type { Db } from '../../src/platform/db/db.ts'

type Options = { namespace_id: string; name?: string; schema?: BucketSchema | null; unique_key?: string[] }

/** A bucket as its table holds it, for tests of what reads buckets. */
export async function makeBucket(
  db: Db,
  { namespace_id, name, schema = { properties: {} }, unique_key }: Options,
): Promise<string> {
  const bucket_id = newId.bucket()
  const now = timestamp()
  await db
    .insertInto('buckets')
    .values({
      namespace_id,
      bucket_id,
      bucket_name: name ?? bucket_id,
      bucket_name_folded: (name ?? bucket_id).toLowerCase(),
      status: 'ACTIVE',
      is_locked: 0,
      storage_class: null,
      object_count: 0,
      total_size_bytes: 0,
      max_size_bytes: 0,
      min_size_bytes: 0,
      batch_total: 0,
      batch_active: 0,
      batch_completed: 0,
      batch_failed: 0,
      created_at: now,
      updated_at: now,
      last_upload_at: null,
      stats_updated_at: now,
      delete_task_id: null,
      description: null,
      // As the create operation would store it: with defaults filled in.
      bucket_schema: schema && JSON.stringify(validator(BucketSchema)(schema, [], [])),
      unique_key: unique_key ? JSON.stringify({ fields: unique_key }) : null,
      source_adapter: null,
      metadata: '{}',
    })
    .execute()
  return bucket_id
}
