import { sql } from 'kysely'
import type { FilterNode } from '../../core/filters/ast.ts'
import { objectField } from '../../core/filters/object-fields.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import { parseSearch, type SearchPattern } from '../../core/filters/search.ts'
import { parseSort, type SortKey } from '../../core/filters/sort.ts'
import type { Dialect } from '../../platform/db/db.ts'
import type { SearchField } from '../../platform/db/filters/search.ts'
import { type FilterTarget, tableFields } from '../../platform/db/filters/target.ts'
import type { ListObjectsBody, ListObjectsQuery } from './schemas.ts'

/** What a list asks for, wherever in the request it stood. */
export type ObjectQuery = {
  filters: FilterNode[]
  pattern: SearchPattern | null
  sort: SortKey[]
  /** The request in one comparable form: a cursor fits only the query it came from. */
  identity: unknown
}

/** Query parameters that are no filters. */
const PARAMETERS = new Set([
  'limit',
  'page_size',
  'offset',
  'skip',
  'page',
  'page_number',
  'cursor',
  'include_total',
  'search',
  'case_sensitive',
  'sort_field',
  'sort_direction',
  'return_presigned_urls',
  'return_url',
])

const NEWEST_FIRST: SortKey[] = [{ field: 'created_at', direction: 'desc' }]

/** Reads filters, search and order of a list. Throws as `parseFilter` and `parseSort` do. */
export function readQuery(body: ListObjectsBody, query: ListObjectsQuery): ObjectQuery {
  const { case_sensitive } = body
  const profile = {
    profile: 'document' as const,
    unknown_operator: 'filter_operator_unknown' as const,
    ...(case_sensitive !== undefined && { case_sensitive }),
  }
  const equalities = equalityFilters(query)
  const search = body.search ?? (typeof query.search === 'string' ? query.search : null)
  const { sort_field, sort_direction } = query
  const asked = body.sort ?? (sort_field ? { field: sort_field, direction: sort_direction ?? 'asc' } : null)
  const sort = parseSort(asked, body.sort ? {} : { loc: ['query', 'sort_direction'] })
  return {
    filters: [
      parseFilter(body.filters, profile),
      parseFilter(equalities, { ...profile, loc: ['query'] }),
    ].filter((node) => node !== null),
    pattern: parseSearch(search, { case_sensitive: case_sensitive ?? false }),
    sort: sort.length > 0 ? sort : NEWEST_FIRST,
    identity: { filters: body.filters, equalities, search, sort, case_sensitive },
  }
}

/** `?metadata.type=video`: every other parameter is an equality; a repeated one means any of its values. */
function equalityFilters(query: ListObjectsQuery): Record<string, unknown>[] {
  return Object.entries(query)
    .filter(([name, value]) => !PARAMETERS.has(name) && value !== undefined)
    .map(([field, value]) => ({ field, operator: 'in', value: [value].flat().flatMap(typedValues) }))
}

/** A query holds text only, so `true` may mean the word or the boolean; numbers coerce in the filter. */
function typedValues(value: unknown): unknown[] {
  return value === 'true' || value === 'false' ? [value, value === 'true'] : [value]
}

const locate = tableFields({
  columns: {
    object_id: { column: 'objects.object_id', type: 'text', required: true },
    bucket_id: { column: 'objects.bucket_id', type: 'text', required: true },
    key_prefix: { column: 'objects.key_prefix', type: 'text' },
    status: { column: 'objects.status', type: 'text', required: true },
    error: { column: 'objects.error', type: 'text' },
    content_hash: { column: 'objects.content_hash', type: 'text' },
    created_at: { column: 'objects.created_at', type: 'instant', required: true },
    updated_at: { column: 'objects.updated_at', type: 'instant', required: true },
  },
  json: {
    blobs: { column: 'objects.blobs' },
    source_details: { column: 'objects.source_details' },
  },
  rest: { column: 'objects.fields', is_object: true },
})

export const objectTarget = (dialect: Dialect): FilterTarget => ({
  dialect,
  locate,
  // Our own members have one place; looking for them under `metadata` too would cost the indexes.
  field_paths: (field) => {
    const paths = objectField(field)
    return locate(paths[0]!)?.kind === 'column' ? paths.slice(0, 1) : paths
  },
})

/** Id, key prefix, file names and the strings of the user. */
export const searchFields = (dialect: Dialect): SearchField[] => [
  { kind: 'text', column: 'objects.object_id' },
  { kind: 'text', column: 'objects.key_prefix' },
  {
    kind: 'leaves',
    column:
      dialect === 'sqlite'
        ? sql`(select json_group_array(json_extract(blob.value, '$.details.filename')) from json_each(objects.blobs) as blob)`
        : sql`jsonb_path_query_array(objects.blobs, '$[*].details.filename')`,
    within: 'objects.blobs',
  },
  { kind: 'leaves', column: 'objects.fields' },
]
