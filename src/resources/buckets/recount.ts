import { type RawBuilder, sql } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import { BATCH_COUNTERS, type BatchCounter } from './stats.ts'
import * as store from './store.ts'
import { changeTotals } from './totals.ts'

type NamespaceScope = Pick<Scope, 'namespaceId'>

/** What the counters of a bucket `b` must be, counted from objects and batches. */
const TRUTH = {
  object_count: ofObjects('count(*)'),
  total_size_bytes: ofObjects('coalesce(sum(o.size_bytes), 0)'),
  max_size_bytes: ofObjects('coalesce(max(o.size_bytes), 0)'),
  min_size_bytes: ofObjects('coalesce(min(o.size_bytes), 0)'),
  batch_total: ofBatches(),
  batch_active: ofBatches('batch_active'),
  batch_completed: ofBatches('batch_completed'),
  batch_failed: ofBatches('batch_failed'),
}

function ofObjects(count: string): RawBuilder<number> {
  return sql<number>`(select ${sql.raw(count)} from objects o
    where o.namespace_id = b.namespace_id and o.bucket_id = b.bucket_id)`
}

function ofBatches(counter?: BatchCounter): RawBuilder<number> {
  const statuses = Object.keys(BATCH_COUNTERS).filter((status) => BATCH_COUNTERS[status] === counter)
  const counted = counter === undefined ? sql`` : sql`and s.status in (${sql.join(statuses)})`
  return sql<number>`(select count(*) from batches s
    where s.namespace_id = b.namespace_id and s.bucket_id = b.bucket_id ${counted})`
}

export type Miscount = { namespace_id: string; bucket_id: string }

/** Buckets of all tenants whose counters are not those of their objects and batches, with how many were looked at. */
export async function findMiscounts(db: DbOrTrx): Promise<{ examined: number; wrong: Miscount[] }> {
  const differs = Object.entries(TRUTH).map(([column, truth]) => sql`b.${sql.ref(column)} <> ${truth}`)
  const { rows } = await sql<Miscount & { is_wrong: number }>`
    select b.namespace_id, b.bucket_id, case when ${sql.join(differs, sql` or `)} then 1 else 0 end as is_wrong
    from buckets b`.execute(db)
  return { examined: rows.length, wrong: rows.filter((row) => row.is_wrong === 1) }
}

/**
 * Counts a bucket again inside the transaction, since objects may have come since the comparison,
 * and lets lists know that it changed. Sums of the namespace are left to `recountTotals`.
 */
export async function recountBucket(trx: Trx, scope: NamespaceScope, bucket_id: string): Promise<void> {
  if (!(await store.lockBucket(trx, scope, bucket_id))) return
  const columns = Object.entries(TRUTH).map(([column, truth]) => sql`${truth} as ${sql.ref(column)}`)
  const { rows } = await sql<Record<keyof typeof TRUTH, number>>`select ${sql.join(columns)} from buckets b
    where b.namespace_id = ${scope.namespaceId} and b.bucket_id = ${bucket_id}`.execute(trx)
  await trx
    .updateTable('buckets')
    .set(rows[0]!)
    .where('namespace_id', '=', scope.namespaceId)
    .where('bucket_id', '=', bucket_id)
    .execute()
  await changeTotals(trx, scope.namespaceId, bucket_id)
}

/** How much the sums of a namespace lack; a negative number is too much. */
type Shortfall = {
  namespace_id: string
  /** Any bucket: its shard takes the correction. */
  bucket_id: string
  buckets: number
  objects: number
  size_bytes: number
}

/** Namespaces of all tenants, or one, whose sums are not those of their buckets. One statement sees both at one moment. */
export async function findTotalsShortfalls(
  db: DbOrTrx,
  namespace_id?: string,
): Promise<{ examined: number; wrong: Shortfall[] }> {
  const { rows } = await sql<Shortfall>`
    select namespace_id, max(bucket_id) as bucket_id, sum(buckets) as buckets, sum(objects) as objects,
      sum(size_bytes) as size_bytes
    from (
      select namespace_id, bucket_id, 1 as buckets, object_count as objects, total_size_bytes as size_bytes
      from buckets
      union all
      select namespace_id, '', -bucket_count, -object_count, -total_size_bytes from bucket_totals
    ) as parts
    ${namespace_id === undefined ? sql`` : sql`where namespace_id = ${namespace_id}`}
    group by namespace_id`.execute(db)
  const wrong = rows.filter((row) => row.buckets !== 0 || row.objects !== 0 || row.size_bytes !== 0)
  return { examined: rows.length, wrong }
}

/** Makes the sums of a namespace those of its buckets. The correction is added, so writers at the same time are not undone. */
export async function recountTotals(trx: Trx, { namespaceId }: NamespaceScope): Promise<void> {
  const { wrong } = await findTotalsShortfalls(trx, namespaceId)
  for (const { bucket_id, buckets, objects, size_bytes } of wrong)
    await changeTotals(trx, namespaceId, bucket_id, { buckets, objects, size_bytes })
}
