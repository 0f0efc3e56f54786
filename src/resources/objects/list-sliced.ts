import { decodeCursor } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { inSlices, type Place } from '../../platform/db/aggregate/slices.ts'
import { type Db, dialect } from '../../platform/db/db.ts'
import type { CompiledSort } from '../../platform/db/filters/sort.ts'
import {
  type Count,
  compareKeyed,
  countMatches,
  isNewestFirst,
  type KeyedObject,
  type ObjectList,
  readKeys,
  restricted,
  withKeys,
} from './list-rows.ts'
import { objectPlace, objectsBetween } from './slices.ts'

/**
 * The rows of a page, and one more, from a walk through the bucket newest first. In that order the walk
 * ends with the page; for any other order it goes on to the end and keeps the best rows.
 */
export async function selectSliced(
  db: Db,
  scope: Scope,
  list: ObjectList,
  order: CompiledSort,
): Promise<KeyedObject[]> {
  const { query, page } = list
  const position = page.cursor === null ? null : decodeCursor(page.cursor, query.identity)
  if (position) order.check(position)
  const skipped = position ? 0 : page.offset
  const wanted = skipped + page.limit + 1
  const inOrder = isNewestFirst(query)
  const start = inOrder && position ? { created_at: String(position.keys[0]), id: position.id } : null
  const compare = compareKeyed(order)
  let best: KeyedObject[] = []
  const slices = walk(db, scope, list, start, async (objects) => {
    const rows = withKeys(objects, order).limit(wanted)
    return readKeys(await (position && !inOrder ? rows.where(order.after(position)) : rows).execute(), order)
  })
  for await (const found of slices) {
    if (found.length === 0) continue
    best = inOrder ? [...best, ...found] : [...best, ...found].sort(compare).slice(0, wanted)
    if (inOrder && best.length >= wanted) break
  }
  return best.slice(skipped, wanted)
}

/** The counts of `countMatches`, added up over the slices. */
export async function countSliced(db: Db, scope: Scope, list: ObjectList): Promise<Count[]> {
  const byStatus = new Map<string, Count>()
  const slices = walk(db, scope, list, null, (objects) => countMatches(objects, dialect(db)).execute())
  for await (const counts of slices) {
    for (const { status, objects, blobs } of counts) {
      const sum = byStatus.get(status) ?? { status, objects: 0, blobs: 0 }
      byStatus.set(status, { status, objects: sum.objects + objects, blobs: sum.blobs + blobs })
    }
  }
  return [...byStatus.values()].sort((a, b) => (a.status < b.status ? -1 : 1))
}

function walk<T>(
  db: Db,
  scope: Scope,
  { bucket_id, query, signal }: ObjectList,
  start: Place | null,
  read: (objects: ReturnType<typeof restricted>) => Promise<T[]>,
): AsyncGenerator<T[]> {
  const order = 'newest'
  const source = {
    boundary: (after: Place | null, count: number) =>
      objectPlace(db, scope, bucket_id, { order, after, count }),
    rows: (after: Place | null, until: Place | null) =>
      read(restricted(objectsBetween(db, scope, bucket_id, { order, after, until }), query, dialect(db))),
  }
  return inSlices(source, { signal, start })
}
