import { decodeCursor, encodeCursor, type Pagination, paginate } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, dialect, inSnapshot, type Trx } from '../../platform/db/db.ts'
import { type CompiledSort, compileSort } from '../../platform/db/filters/sort.ts'
import { objectTarget } from './list-query.ts'
import {
  type Count,
  countMatches,
  isNewestFirst,
  type KeyedObject,
  type ObjectList,
  readKeys,
  restricted,
  withKeys,
} from './list-rows.ts'
import { countSliced, selectSliced } from './list-sliced.ts'
import type { ListObjectsResponse } from './schemas.ts'
import { objectsOf } from './store.ts'
import type { StoredObject } from './stored-object.ts'

export type ObjectPage = {
  objects: StoredObject[]
  pagination: Pagination
  /** Over all matches; counted only when the total is asked for. */
  stats: ListObjectsResponse['stats']
}

/** Up to here the whole bucket is read in some milliseconds. */
const WHOLE_MAX = 5000

/**
 * One page of the objects of a bucket. Page, total and statistics see the same objects, except where a
 * large bucket of an embedded database is read in slices, so that others are answered meanwhile.
 */
export async function listObjects(db: Db, scope: Scope, list: ObjectList): Promise<ObjectPage> {
  const order = compileSort(list.query.sort, objectTarget(dialect(db)), 'objects.object_id')
  if (!isSliced(db, list)) {
    return inSnapshot(db, async (trx) => {
      const found = await select(trx, scope, list, order)
      const matching = () => restricted(objectsOf(trx, scope, list.bucket_id), list.query, dialect(trx))
      const counts = list.page.include_total ? await countMatches(matching(), dialect(trx)).execute() : null
      return pageOf(list, found, counts)
    })
  }
  const found = await selectSliced(db, scope, list, order)
  const counts = list.page.include_total ? await countSliced(db, scope, list) : null
  return pageOf(list, found, counts)
}

/** SQLite runs inside the process: a look at every object of a large bucket would stop the server. */
function isSliced(db: Db, { object_count, query, page }: ObjectList): boolean {
  if (dialect(db) !== 'sqlite' || object_count <= WHOLE_MAX) return false
  const isFiltered = query.filters.length > 0 || query.pattern !== null
  return isFiltered || page.include_total || !isNewestFirst(query)
}

function pageOf({ query, page, path }: ObjectList, found: KeyedObject[], counts: Count[] | null): ObjectPage {
  const stats = counts ? statsOf(counts) : undefined
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
}

/** One row more than the page holds tells whether another page follows. */
async function select(
  trx: Trx,
  scope: Scope,
  { bucket_id, page, query }: ObjectList,
  order: CompiledSort,
): Promise<KeyedObject[]> {
  let rows = withKeys(restricted(objectsOf(trx, scope, bucket_id), query, dialect(trx)), order)
  rows =
    page.cursor === null
      ? rows.offset(page.offset)
      : rows.where(order.after(decodeCursor(page.cursor, query.identity)))
  return readKeys(await rows.limit(page.limit + 1).execute(), order)
}

function statsOf(counts: readonly Count[]): NonNullable<ObjectPage['stats']> {
  const total = (member: 'objects' | 'blobs') => counts.reduce((sum, count) => sum + Number(count[member]), 0)
  const total_objects = total('objects')
  return {
    total_objects,
    total_blobs: total('blobs'),
    avg_blobs_per_object: total_objects === 0 ? 0 : total('blobs') / total_objects,
    objects_by_status: Object.fromEntries(counts.map(({ status, objects }) => [status, Number(objects)])),
  }
}
