import { type RawBuilder, sql } from 'kysely'
import type { Dialect } from '../../platform/db/db.ts'

type Column = { member: string; json: string; optional?: string }

/**
 * A bucket as JSON text, written by the database: stored JSON goes into the answer as it is,
 * without being parsed and written again. Columns are those of `buckets`, unaliased.
 */
export function bucketJson(dialect: Dialect): RawBuilder<string> {
  const text = (column: string) =>
    dialect === 'sqlite' ? `json_quote(${column})` : `to_json(${column})::text`
  const json = (column: string) => (dialect === 'sqlite' ? column : `${column}::text`)
  // Ids, instants and words of ours hold no character that JSON escapes.
  const word = (column: string) => `'"' || ${column} || '"'`
  const optional = (member: string, column: string, format: (column: string) => string): Column => ({
    member,
    json: format(column),
    optional: column,
  })
  const columns: Column[] = [
    { member: 'bucket_id', json: word('bucket_id') },
    { member: 'bucket_name', json: text('bucket_name') },
    optional('description', 'description', text),
    optional('bucket_schema', 'bucket_schema', json),
    optional('unique_key', 'unique_key', json),
    { member: 'metadata', json: json('metadata') },
    optional('storage_class', 'storage_class', word),
    { member: 'object_count', json: 'object_count' },
    { member: 'total_size_bytes', json: 'total_size_bytes' },
    { member: 'created_at', json: word('created_at') },
    { member: 'updated_at', json: word('updated_at') },
    optional('last_upload_at', 'last_upload_at', word),
    { member: 'stats_updated_at', json: word('stats_updated_at') },
    { member: 'status', json: word('status') },
    { member: 'is_locked', json: `case when is_locked = 1 then 'true' else 'false' end` },
    optional('source_adapter', 'source_adapter', json),
  ]
  const batches = ['total', 'active', 'completed', 'failed'].map((name) => [name, `batch_${name}`] as const)
  const storage = [
    ['total_size_bytes', 'total_size_bytes'],
    // Integer division: the average is floored.
    ['avg_size_bytes', '(case when object_count = 0 then 0 else total_size_bytes / object_count end)'],
    ['max_size_bytes', 'max_size_bytes'],
    ['min_size_bytes', 'min_size_bytes'],
  ] as const
  const parts = [
    ...columns.map(({ member, json, optional }, i) => {
      const written = `'${i === 0 ? '{' : ','}"${member}":' || ${json}`
      return optional ? `case when ${optional} is null then '' else ${written} end` : written
    }),
    `',"batch_stats":{' || ${members(batches)} || '},"storage_stats":{' || ${members(storage)} || '}}'`,
  ]
  return sql.raw(parts.map((part) => (part.startsWith('case') ? `(${part})` : part)).join(' || '))
}

const members = (pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([name, value], i) => `'${i === 0 ? '' : ','}"${name}":' || ${value}`).join(' || ')
