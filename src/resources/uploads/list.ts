import { sql } from 'kysely'
import type { FilterNode } from '../../core/filters/ast.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import { parseSearch, type SearchPattern } from '../../core/filters/search.ts'
import { parseSort, type SortKey } from '../../core/filters/sort.ts'
import {
  decodeCursor,
  encodeCursor,
  type PageRequest,
  type Pagination,
  paginate,
} from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, type Dialect, dialect, inSnapshot, type Trx } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { compileSearch, type SearchField } from '../../platform/db/filters/search.ts'
import { type CompiledSort, compileSort } from '../../platform/db/filters/sort.ts'
import { type FilterTarget, tableFields } from '../../platform/db/filters/target.ts'
import type { UploadRow } from './record.ts'
import type { ListUploadsBody, ListUploadsResponse } from './schemas.ts'

const NEWEST_FIRST: SortKey[] = [{ field: 'created_at', direction: 'desc' }]

const SEARCH_FIELDS: SearchField[] = [
  { kind: 'text', column: 'uploads.upload_id' },
  { kind: 'text', column: 'uploads.filename' },
  { kind: 'text', column: 'uploads.content_type' },
  { kind: 'leaves', column: 'uploads.metadata' },
]

const text = (column: string, required = false) =>
  ({ column: `uploads.${column}`, type: 'text', required }) as const
const flag = (column: string) => ({ column: `uploads.${column}`, type: 'boolean', required: true }) as const
const instant = (column: string, required = false) =>
  ({ column: `uploads.${column}`, type: 'instant', required }) as const

/** Every member of an upload that clients see. */
const target = (dialect: Dialect): FilterTarget => ({
  dialect,
  locate: tableFields({
    columns: {
      upload_id: text('upload_id', true),
      bucket_id: text('bucket_id', true),
      filename: text('filename', true),
      content_type: text('content_type', true),
      status: text('status', true),
      s3_key: text('s3_key', true),
      file_size_bytes: { column: 'uploads.file_size_bytes', type: 'number' },
      presigned_url_expiration: {
        column: 'uploads.presigned_url_expiration',
        type: 'number',
        required: true,
      },
      create_object_on_confirm: flag('create_object_on_confirm'),
      skip_duplicates: flag('skip_duplicates'),
      is_duplicate: flag('is_duplicate'),
      skipped_unique_key: flag('skipped_unique_key'),
      blob_property: text('blob_property'),
      blob_type: text('blob_type'),
      file_hash: text('file_hash'),
      duplicate_of_upload_id: text('duplicate_of_upload_id'),
      existing_object_id: text('existing_object_id'),
      message: text('message'),
      etag: text('etag'),
      object_id: text('object_id'),
      task_id: text('task_id'),
      created_at: instant('created_at', true),
      expires_at: instant('expires_at', true),
      completed_at: instant('completed_at'),
      verified_at: instant('verified_at'),
    },
    json: {
      metadata: { column: 'uploads.metadata', is_object: true },
      object_metadata: { column: 'uploads.object_metadata', is_object: true },
    },
  }),
})

type List = { bucket_id: string; body: ListUploadsBody; page: PageRequest; path: string }
type Query = {
  filter: FilterNode | null
  pattern: SearchPattern | null
  order: CompiledSort
  identity: unknown
}
export type UploadPage = {
  rows: UploadRow[]
  pagination: Pagination
  stats: ListUploadsResponse['stats']
}

/** One page of the uploads of a bucket; page, total and statistics see the same uploads. */
export function listUploads(db: Db, scope: Scope, list: List): Promise<UploadPage> {
  const { bucket_id, body, page, path } = list
  const { filters, sort, search, case_sensitive } = body
  const keys = parseSort(sort)
  const query: Query = {
    filter: parseFilter(filters, { profile: 'management', ...(case_sensitive && { case_sensitive }) }),
    pattern: parseSearch(search, { case_sensitive }),
    order: compileSort(keys.length > 0 ? keys : NEWEST_FIRST, target(dialect(db)), 'uploads.upload_id'),
    // The keys in their order, which the members of an object do not keep.
    identity: { bucket_id, filters, keys, search, case_sensitive },
  }
  return inSnapshot(db, async (trx) => {
    const stats = await countMatches(trx, scope, bucket_id, query)
    const found = await select(trx, scope, list, query)
    const rows = found.slice(0, page.limit)
    const last = rows.at(-1)
    const next_cursor =
      last && found.length > page.limit
        ? encodeCursor({ keys: keysOf(last, query.order), id: last.upload_id }, query.identity)
        : null
    return { rows, pagination: paginate({ page, total: stats.total_uploads, path, next_cursor }), stats }
  })
}

/** One row more than the page holds tells whether another page follows. */
async function select(trx: Trx, scope: Scope, { bucket_id, page }: List, query: Query): Promise<UploadRow[]> {
  const { order, identity } = query
  let rows = matching(trx, scope, bucket_id, query)
    .selectAll('uploads')
    .select(order.keys.map((key, i) => sql<string | number | null>`${key}`.as(`sort_key_${i}`)))
    .limit(page.limit + 1)
  for (const term of order.order_by) rows = rows.orderBy(sql`${term}`)
  rows =
    page.cursor === null
      ? rows.offset(page.offset)
      : rows.where(order.after(decodeCursor(page.cursor, identity)))
  return rows.execute()
}

const keysOf = (row: UploadRow, { keys }: CompiledSort) =>
  keys.map((_, i) => (row as unknown as Record<string, string | number | null>)[`sort_key_${i}`] ?? null)

async function countMatches(trx: Trx, scope: Scope, bucket_id: string, query: Query) {
  const groups = await matching(trx, scope, bucket_id, query)
    .select('uploads.status')
    .select([
      sql<number>`count(*)`.as('uploads'),
      sql<number>`coalesce(sum(uploads.file_size_bytes), 0)`.as('size_bytes'),
    ])
    .groupBy('uploads.status')
    .orderBy('uploads.status')
    .execute()
  const total = (member: 'uploads' | 'size_bytes') =>
    groups.reduce((sum, group) => sum + Number(group[member]), 0)
  const total_uploads = total('uploads')
  const total_size_bytes = total('size_bytes')
  return {
    total_uploads,
    total_size_bytes,
    uploads_by_status: Object.fromEntries(groups.map(({ status, uploads }) => [status, Number(uploads)])),
    avg_file_size_bytes: total_uploads === 0 ? 0 : total_size_bytes / total_uploads,
    unique_buckets: total_uploads === 0 ? 0 : 1,
  }
}

function matching(trx: Trx, { namespaceId }: Scope, bucket_id: string, { filter, pattern }: Query) {
  let rows = trx
    .selectFrom('uploads')
    .where('uploads.namespace_id', '=', namespaceId)
    .where('uploads.bucket_id', '=', bucket_id)
  if (filter) rows = rows.where(compileFilter(filter, target(dialect(trx))))
  if (pattern) rows = rows.where(compileSearch(pattern, SEARCH_FIELDS, dialect(trx)))
  return rows
}
