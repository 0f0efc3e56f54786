import { sql } from 'kysely'
import { type Db, inTransaction } from '../platform/db/db.ts'
import {
  findMiscounts,
  findTotalsShortfalls,
  recountBucket,
  recountTotals,
} from '../resources/buckets/index.ts'
import type { Finding } from './finding.ts'

/** Names shown of what is wrong. */
const NAMED_MAX = 5

/** Bucket statistics against the objects and batches themselves. */
export async function checkBuckets(db: Db, { repair }: { repair: boolean }): Promise<Finding> {
  const { examined, wrong } = await findMiscounts(db)
  if (repair)
    for (const { namespace_id, bucket_id } of wrong)
      await inTransaction(db, (trx) => recountBucket(trx, { namespaceId: namespace_id }, bucket_id))
  return finding(
    'bucket statistics',
    examined,
    wrong.map(({ bucket_id }) => bucket_id),
    repair,
  )
}

/** Sums over the buckets of a namespace, which unfiltered lists show, against the buckets. */
export async function checkTotals(db: Db, { repair }: { repair: boolean }): Promise<Finding> {
  const { examined, wrong } = await findTotalsShortfalls(db)
  if (repair)
    for (const { namespace_id } of wrong)
      await inTransaction(db, (trx) => recountTotals(trx, { namespaceId: namespace_id }))
  return finding(
    'namespace totals',
    examined,
    wrong.map(({ namespace_id }) => namespace_id),
    repair,
  )
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
