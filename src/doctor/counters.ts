import { sql } from 'kysely'
import { type Db, type DbOrTrx, inTransaction } from '../platform/db/db.ts'
import type { Finding } from './finding.ts'

/** Names shown of what is wrong. */
const NAMED_MAX = 5

type BucketTruth = {
  namespace_id: string
  bucket_id: string
  object_count: number
  total_size_bytes: number
  true_count: number
  true_size: number
}

/** Bucket statistics against the objects themselves. */
export async function checkBuckets(db: Db, { repair }: { repair: boolean }): Promise<Finding> {
  const { rows } = await sql<BucketTruth>`
    select b.namespace_id, b.bucket_id, b.object_count, b.total_size_bytes,
      (select count(*) from objects o where o.namespace_id = b.namespace_id and o.bucket_id = b.bucket_id) as true_count,
      (select coalesce(sum(o.size_bytes), 0) from objects o
        where o.namespace_id = b.namespace_id and o.bucket_id = b.bucket_id) as true_size
    from buckets b`.execute(db)
  const wrong = rows.filter(
    (row) => row.object_count !== row.true_count || row.total_size_bytes !== row.true_size,
  )
  if (repair) for (const row of wrong) await inTransaction(db, (trx) => recountBucket(trx, row))
  return finding(
    'bucket statistics',
    rows.length,
    wrong.map((row) => row.bucket_id),
    repair,
  )
}

/** Counted again inside the transaction: objects may have come since the comparison. */
async function recountBucket(trx: DbOrTrx, { namespace_id, bucket_id }: BucketTruth): Promise<void> {
  const mine = sql`from objects o where o.namespace_id = ${namespace_id} and o.bucket_id = ${bucket_id}`
  await sql`
    update buckets set
      object_count = (select count(*) ${mine}),
      total_size_bytes = (select coalesce(sum(o.size_bytes), 0) ${mine}),
      max_size_bytes = (select coalesce(max(o.size_bytes), 0) ${mine}),
      min_size_bytes = (select coalesce(min(o.size_bytes), 0) ${mine})
    where namespace_id = ${namespace_id} and bucket_id = ${bucket_id}`.execute(trx)
}

type CollectionTruth = {
  namespace_id: string
  collection_id: string
  document_count: number
  true_count: number
}

/** Document counts of collections against the documents. */
export async function checkCollections(db: Db, { repair }: { repair: boolean }): Promise<Finding> {
  const { rows } = await sql<CollectionTruth>`
    select c.namespace_id, c.collection_id, c.document_count,
      (select count(*) from documents d
        where d.namespace_id = c.namespace_id and d.collection_id = c.collection_id) as true_count
    from collections c`.execute(db)
  const wrong = rows.filter((row) => row.document_count !== row.true_count)
  if (repair) {
    for (const { namespace_id, collection_id } of wrong) {
      await sql`
        update collections set document_count = (select count(*) from documents d
          where d.namespace_id = ${namespace_id} and d.collection_id = ${collection_id})
        where namespace_id = ${namespace_id} and collection_id = ${collection_id}`.execute(db)
    }
  }
  return finding(
    'document counts',
    rows.length,
    wrong.map((row) => row.collection_id),
    repair,
  )
}

function finding(check: string, examined: number, wrong: string[], repair: boolean): Finding {
  const named = wrong.slice(0, NAMED_MAX).join(', ')
  const more = wrong.length > NAMED_MAX ? ` and ${wrong.length - NAMED_MAX} more` : ''
  return {
    check,
    examined,
    problems: wrong.length,
    repaired: repair ? wrong.length : 0,
    detail: wrong.length > 0 ? `differ: ${named}${more}` : '',
  }
}
