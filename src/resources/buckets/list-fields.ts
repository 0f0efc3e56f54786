import { sql } from 'kysely'
import type { Dialect } from '../../platform/db/db.ts'
import type { SearchField } from '../../platform/db/filters/search.ts'
import { type FilterTarget, tableFields } from '../../platform/db/filters/target.ts'

const number = (column: string) => ({ column: `buckets.${column}`, type: 'number', required: true }) as const
const instant = (column: string) =>
  ({ column: `buckets.${column}`, type: 'instant', required: true }) as const
const text = (column: string) => ({ column: `buckets.${column}`, type: 'text' }) as const

const BATCH_STATS = ['total', 'active', 'completed', 'failed'] as const

const AVERAGE = sql`(case when buckets.object_count = 0 then 0 else buckets.total_size_bytes / buckets.object_count end)`

/** Every member of a bucket as clients see it: what filters and sorts may name. */
const COLUMNS = {
  // Ids are lower-case as they are.
  bucket_id: { ...text('bucket_id'), folded: 'buckets.bucket_id', required: true },
  bucket_name: { ...text('bucket_name'), folded: 'buckets.bucket_name_folded', required: true },
  description: text('description'),
  storage_class: text('storage_class'),
  status: { ...text('status'), required: true },
  is_locked: { column: 'buckets.is_locked', type: 'boolean', required: true },
  object_count: number('object_count'),
  total_size_bytes: number('total_size_bytes'),
  created_at: instant('created_at'),
  updated_at: instant('updated_at'),
  stats_updated_at: instant('stats_updated_at'),
  last_upload_at: { column: 'buckets.last_upload_at', type: 'instant' },
  ...Object.fromEntries(BATCH_STATS.map((name) => [`batch_stats.${name}`, number(`batch_${name}`)])),
  'storage_stats.total_size_bytes': number('total_size_bytes'),
  'storage_stats.avg_size_bytes': { column: AVERAGE, type: 'number', required: true },
  'storage_stats.max_size_bytes': number('max_size_bytes'),
  'storage_stats.min_size_bytes': number('min_size_bytes'),
} as const

const json = (column: string) => ({ column: `buckets.${column}`, is_object: true })

/** Sorts that an index of this dialect delivers in order. */
export const INDEXED_SORTS: Record<Dialect, ReadonlySet<string>> = {
  sqlite: new Set([
    'created_at',
    'updated_at',
    'bucket_name',
    'bucket_id',
    'object_count',
    'total_size_bytes',
    'storage_stats.total_size_bytes',
    'last_upload_at',
  ]),
  postgres: new Set(['created_at', 'updated_at', 'bucket_name', 'bucket_id']),
}

/** How the fields of filters and sorts map to the table. */
export const bucketTarget: Record<Dialect, FilterTarget> = {
  sqlite: target('sqlite'),
  postgres: target('postgres'),
}

function target(dialect: Dialect): FilterTarget {
  const build = sql.raw(dialect === 'sqlite' ? 'json_object' : 'jsonb_build_object')
  return {
    dialect,
    locate: tableFields({
      columns: COLUMNS,
      json: {
        metadata: json('metadata'),
        bucket_schema: json('bucket_schema'),
        unique_key: json('unique_key'),
        source_adapter: json('source_adapter'),
        // The whole objects; their members are columns.
        batch_stats: {
          column: sql`${build}('total', buckets.batch_total, 'active', buckets.batch_active, 'completed', buckets.batch_completed, 'failed', buckets.batch_failed)`,
          is_object: true,
        },
        storage_stats: {
          column: sql`${build}('total_size_bytes', buckets.total_size_bytes, 'avg_size_bytes', ${AVERAGE}, 'max_size_bytes', buckets.max_size_bytes, 'min_size_bytes', buckets.min_size_bytes)`,
          is_object: true,
        },
      },
    }),
  }
}

/** Where a search looks: the words "other text fields" of the contract mean description and metadata. */
export const SEARCH_FIELDS: readonly SearchField[] = [
  { kind: 'text', column: 'buckets.bucket_id', folded: 'buckets.bucket_id' },
  { kind: 'text', column: 'buckets.bucket_name', folded: 'buckets.bucket_name_folded' },
  { kind: 'text', column: 'buckets.description' },
  { kind: 'leaves', column: 'buckets.metadata' },
]
