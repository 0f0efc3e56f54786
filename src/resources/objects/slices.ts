import { type SqlBool, sql } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import type { Place } from '../../platform/db/aggregate/slices.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import { objectsOf } from './store.ts'

/** The order of the index objects_newest, `newest` as it is, `oldest` backwards. */
export type WalkOrder = 'newest' | 'oldest'

/** The objects of a bucket after one place of the walk up to another, which is included; in no order. */
export function objectsBetween(
  db: DbOrTrx,
  scope: Scope,
  bucket_id: string,
  { order, after, until }: { order: WalkOrder; after: Place | null; until: Place | null },
) {
  let rows = objectsOf(db, scope, bucket_id)
  if (after) rows = rows.where(beyond(order, after))
  return until ? rows.where(upTo(order, until)) : rows
}

/** The terms of the order, for `orderBy`. */
export const WALK_TERMS = {
  newest: [
    ['objects.created_at', 'desc'],
    ['objects.object_id', 'asc'],
  ],
  oldest: [
    ['objects.created_at', 'asc'],
    ['objects.object_id', 'desc'],
  ],
} as const

/** The last of the next `count` objects; undefined when fewer follow. */
export async function objectPlace(
  db: DbOrTrx,
  scope: Scope,
  bucket_id: string,
  { order, after, count }: { order: WalkOrder; after: Place | null; count: number },
): Promise<Place | undefined> {
  let rows = objectsBetween(db, scope, bucket_id, { order, after, until: null })
    .select(['objects.created_at', 'objects.object_id'])
    .limit(1)
    .offset(count - 1)
  for (const [column, direction] of WALK_TERMS[order]) rows = rows.orderBy(column, direction)
  const row = await rows.executeTakeFirst()
  return row && { created_at: row.created_at, id: row.object_id }
}

// The bound on the instant stands alone, so that the index can start and end at it.
const beyond = (order: WalkOrder, { created_at, id }: Place) =>
  order === 'newest'
    ? sql<SqlBool>`(objects.created_at <= ${created_at} and (objects.created_at < ${created_at} or objects.object_id > ${id}))`
    : sql<SqlBool>`(objects.created_at >= ${created_at} and (objects.created_at > ${created_at} or objects.object_id < ${id}))`

const upTo = (order: WalkOrder, { created_at, id }: Place) =>
  order === 'newest'
    ? sql<SqlBool>`(objects.created_at >= ${created_at} and (objects.created_at > ${created_at} or objects.object_id <= ${id}))`
    : sql<SqlBool>`(objects.created_at <= ${created_at} and (objects.created_at < ${created_at} or objects.object_id >= ${id}))`
