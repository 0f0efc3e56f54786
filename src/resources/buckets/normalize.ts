import { canonicalBucketSchema } from '../../core/bucket-schema.ts'
import { isObject } from '../../core/json.ts'

/** Rewrites what clients send as `name` and `schema`, and older spellings of the schema itself. */
export function normalizeBucket(body: unknown): unknown {
  if (!isObject(body)) return body
  const { name, schema, bucket_name = name, bucket_schema = schema, ...rest } = body
  return {
    ...rest,
    ...(bucket_name !== undefined && { bucket_name }),
    ...(bucket_schema !== undefined && { bucket_schema: canonicalBucketSchema(bucket_schema) }),
  }
}
