import { type RawBuilder, sql } from 'kysely'
import type { Dialect } from '../../platform/db/db.ts'

/**
 * A bucket as JSON text, written by the database: stored JSON goes into the answer as it is,
 * without being parsed and written again. Columns are those of `buckets`, unaliased. One `concat`
 * costs half of what as many `||` do; it skips nulls, and with them the members that have no value.
 */
export function bucketJson(dialect: Dialect): RawBuilder<string> {
  const text = (column: string) =>
    dialect === 'sqlite' ? `json_quote(${column})` : `to_json(${column})::text`
  const json = (column: string) => (dialect === 'sqlite' ? column : `${column}::text`)
  const optional = (member: string, column: string, value: string, end = '') =>
    `case when ${column} is not null then concat(',"${member}":${end}', ${value}, '${end}') end`
  // Ids, instants and words of ours hold no character that JSON escapes.
  const parts = [
    `'{"bucket_id":"', bucket_id, '","bucket_name":', ${text('bucket_name')}`,
    optional('description', 'description', text('description')),
    optional('bucket_schema', 'bucket_schema', json('bucket_schema')),
    optional('unique_key', 'unique_key', json('unique_key')),
    `',"metadata":', ${json('metadata')}`,
    optional('storage_class', 'storage_class', 'storage_class', '"'),
    `',"object_count":', object_count, ',"total_size_bytes":', total_size_bytes`,
    `',"created_at":"', created_at, '","updated_at":"', updated_at, '"'`,
    optional('last_upload_at', 'last_upload_at', 'last_upload_at', '"'),
    `',"stats_updated_at":"', stats_updated_at, '","status":"', status`,
    `case when is_locked = 1 then '","is_locked":true' else '","is_locked":false' end`,
    optional('source_adapter', 'source_adapter', json('source_adapter')),
    `',"batch_stats":{"total":', batch_total, ',"active":', batch_active`,
    `',"completed":', batch_completed, ',"failed":', batch_failed`,
    `'},"storage_stats":{"total_size_bytes":', total_size_bytes`,
    // Integer division: the average is floored.
    `',"avg_size_bytes":', case when object_count = 0 then 0 else total_size_bytes / object_count end`,
    `',"max_size_bytes":', max_size_bytes, ',"min_size_bytes":', min_size_bytes, '}}'`,
  ]
  return sql.raw(`concat(${parts.join(', ')})`)
}
