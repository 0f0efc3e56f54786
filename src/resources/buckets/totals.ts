import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'

/**
 * Totals of a namespace over its buckets, kept in the transaction of every change, so that an
 * unfiltered list counts nothing. `version` grows with every change of any bucket: two reads that
 * see the same sum of versions have seen the same buckets.
 */
export type TotalsChange = { buckets?: number; objects?: number; size_bytes?: number }

/** Rows that share the totals of a namespace on PostgreSQL, so that writers of different buckets do not wait for each other. */
const SHARDS = 16

/**
 * Adds to the totals; call it in every transaction that changes a bucket, after the bucket's own
 * row (writers then take their locks in one order).
 */
export async function changeTotals(
  trx: Trx,
  namespaceId: string,
  bucket_id: string,
  { buckets = 0, objects = 0, size_bytes = 0 }: TotalsChange = {},
): Promise<void> {
  const shard = shardOf(trx, bucket_id)
  const { numUpdatedRows } = await trx
    .updateTable('bucket_totals')
    .set((eb) => ({
      bucket_count: eb('bucket_count', '+', buckets),
      object_count: eb('object_count', '+', objects),
      total_size_bytes: eb('total_size_bytes', '+', size_bytes),
      version: eb('version', '+', 1),
    }))
    .where('namespace_id', '=', namespaceId)
    .where('shard', '=', shard)
    .executeTakeFirst()
  if (numUpdatedRows > 0n) return
  await trx
    .insertInto('bucket_totals')
    .values({
      namespace_id: namespaceId,
      shard,
      bucket_count: buckets,
      object_count: objects,
      total_size_bytes: size_bytes,
      version: 1,
    })
    .onConflict((conflict) =>
      conflict.columns(['namespace_id', 'shard']).doUpdateSet((eb) => ({
        bucket_count: eb('bucket_totals.bucket_count', '+', buckets),
        object_count: eb('bucket_totals.object_count', '+', objects),
        total_size_bytes: eb('bucket_totals.total_size_bytes', '+', size_bytes),
        version: eb('bucket_totals.version', '+', 1),
      })),
    )
    .execute()
}

function shardOf(db: DbOrTrx, bucket_id: string): number {
  if (dialect(db) === 'sqlite') return 0
  let hash = 0
  for (let i = 0; i < bucket_id.length; i++) hash = (hash * 31 + bucket_id.charCodeAt(i)) % 65_521
  return hash % SHARDS
}
