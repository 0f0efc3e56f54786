import { sql } from 'kysely'
import {
  decodeCursor,
  encodeCursor,
  type PageRequest,
  type Pagination,
  paginate,
} from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, dialect, inSnapshot, type Trx } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { compileSearch } from '../../platform/db/filters/search.ts'
import { type CompiledSort, compileSort } from '../../platform/db/filters/sort.ts'
import { type ObjectQuery, objectTarget, searchFields } from './list-query.ts'
import type { ListObjectsResponse } from './schemas.ts'
import { OBJECT_COLUMNS, objectsOf } from './store.ts'
import { fromRow, type StoredObject } from './stored-object.ts'

export type ObjectPage = {
  objects: StoredObject[]
  pagination: Pagination
  /** Over all matches; counted only when the total is asked for. */
  stats: ListObjectsResponse['stats']
}

type List = { bucket_id: string; query: ObjectQuery; page: PageRequest; path: string }

/** One page of the objects of a bucket; page, total and statistics see the same objects. */
export async function listObjects(db: Db, scope: Scope, list: List): Promise<ObjectPage> {
  const { query, page, path } = list
  return inSnapshot(db, async (trx) => {
    const order = compileSort(query.sort, objectTarget(dialect(trx)), 'objects.object_id')
    const found = await select(trx, scope, list, order)
    const stats = page.include_total ? await countMatches(trx, scope, list) : undefined
    const shown = found.slice(0, page.limit)
    const last = shown.at(-1)
    const next_cursor =
      last && found.length > page.limit
        ? encodeCursor({ keys: last.keys, id: last.object.object_id }, query.identity)
        : null
    const total = stats?.total_objects ?? null
    return {
      objects: shown.map(({ object }) => object),
      pagination: paginate({ page, total, path, next_cursor }),
      stats,
    }
  })
}

/** One row more than the page holds tells whether another page follows. */
async function select(trx: Trx, scope: Scope, list: List, order: CompiledSort) {
  const { page, query } = list
  let rows = matching(trx, scope, list)
    .select(OBJECT_COLUMNS)
    .select(order.keys.map((key, i) => sql<string | number | null>`${key}`.as(`sort_key_${i}`)))
    .limit(page.limit + 1)
  for (const term of order.order_by) rows = rows.orderBy(sql`${term}`)
  rows =
    page.cursor === null
      ? rows.offset(page.offset)
      : rows.where(order.after(decodeCursor(page.cursor, query.identity)))
  return (await rows.execute()).map((row) => {
    const keys = order.keys.map((_, i) => (row as Record<string, unknown>)[`sort_key_${i}`])
    return { object: fromRow(row), keys: keys as (string | number | null)[] }
  })
}

async function countMatches(trx: Trx, scope: Scope, list: List) {
  const blobs = sql<number>`sum(${sql.raw(dialect(trx) === 'sqlite' ? 'json_array_length' : 'jsonb_array_length')}(objects.blobs))`
  const groups = await matching(trx, scope, list)
    .select('objects.status')
    .select([sql<number>`count(*)`.as('objects'), blobs.as('blobs')])
    .groupBy('objects.status')
    .orderBy('objects.status')
    .execute()
  const total = (member: 'objects' | 'blobs') => groups.reduce((sum, group) => sum + Number(group[member]), 0)
  const total_objects = total('objects')
  return {
    total_objects,
    total_blobs: total('blobs'),
    avg_blobs_per_object: total_objects === 0 ? 0 : total('blobs') / total_objects,
    objects_by_status: Object.fromEntries(groups.map(({ status, objects }) => [status, Number(objects)])),
  }
}

function matching(trx: Trx, scope: Scope, { bucket_id, query }: Pick<List, 'bucket_id' | 'query'>) {
  const target = objectTarget(dialect(trx))
  let rows = objectsOf(trx, scope, bucket_id)
  for (const filter of query.filters) rows = rows.where(compileFilter(filter, target))
  if (query.pattern)
    rows = rows.where(compileSearch(query.pattern, searchFields(target.dialect), target.dialect))
  return rows
}
