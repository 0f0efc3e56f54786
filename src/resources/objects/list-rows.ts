import { sql } from 'kysely'
import { compareCodePoints } from '../../core/filters/fold.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Dialect } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { compileSearch } from '../../platform/db/filters/search.ts'
import type { CompiledSort } from '../../platform/db/filters/sort.ts'
import { type ObjectQuery, objectTarget, searchFields } from './list-query.ts'
import { OBJECT_COLUMNS, type objectsOf } from './store.ts'
import { fromRow, type ObjectRow, type StoredObject } from './stored-object.ts'

export type ObjectList = {
  bucket_id: string
  /** How many objects the bucket has: it decides how they are looked at. */
  object_count: number
  query: ObjectQuery
  page: PageRequest
  path: string
  signal?: AbortSignal
}

type Objects = ReturnType<typeof objectsOf>

/** Those of the objects that filters and search let through. */
export function restricted(objects: Objects, { filters, pattern }: ObjectQuery, dialect: Dialect): Objects {
  let rows = objects
  for (const filter of filters) rows = rows.where(compileFilter(filter, objectTarget(dialect)))
  return pattern ? rows.where(compileSearch(pattern, searchFields(dialect), dialect)) : rows
}

/** Whole objects in order, with the keys that a cursor keeps. */
export function withKeys(objects: Objects, order: CompiledSort) {
  let rows = objects
    .select(OBJECT_COLUMNS)
    .select(order.keys.map((key, i) => sql<string | number | null>`${key}`.as(`sort_key_${i}`)))
  for (const term of order.order_by) rows = rows.orderBy(sql`${term}`)
  return rows
}

export type KeyedObject = { object: StoredObject; keys: (string | number | null)[] }

export function readKeys(rows: readonly ObjectRow[], order: CompiledSort): KeyedObject[] {
  return rows.map((row) => {
    const keys = order.keys.map((_, i) => (row as Record<string, unknown>)[`sort_key_${i}`])
    return { object: fromRow(row), keys: keys as (string | number | null)[] }
  })
}

/** The order of the index by which slices are made. */
export const isNewestFirst = ({ sort: [key, ...more] }: ObjectQuery) =>
  key?.field === 'created_at' && key.direction === 'desc' && more.length === 0

/** The order of `order_by`, for rows that come from several statements. */
export function compareKeyed(order: CompiledSort): (a: KeyedObject, b: KeyedObject) => number {
  return (a, b) => {
    for (const [i, direction] of order.directions.entries()) {
      const [left, right] = [a.keys[i] ?? null, b.keys[i] ?? null]
      if (left === right) continue
      if (left === null) return 1
      if (right === null) return -1
      const comparison =
        typeof left === 'number' && typeof right === 'number'
          ? left - right
          : compareCodePoints(String(left), String(right))
      if (comparison !== 0) return direction === 'asc' ? comparison : -comparison
    }
    return compareCodePoints(a.object.object_id, b.object.object_id)
  }
}

export type Count = { status: string; objects: number; blobs: number }

/** How many objects and blobs there are in each status. */
export function countMatches(objects: Objects, dialect: Dialect) {
  const length = sql.raw(dialect === 'sqlite' ? 'json_array_length' : 'jsonb_array_length')
  return objects
    .select('objects.status')
    .select([sql<number>`count(*)`.as('objects'), sql<number>`sum(${length}(objects.blobs))`.as('blobs')])
    .groupBy('objects.status')
    .orderBy('objects.status')
}
