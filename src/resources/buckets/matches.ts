import { type Expression, type SqlBool, sql } from 'kysely'
import type { FilterNode } from '../../core/filters/ast.ts'
import type { SearchPattern } from '../../core/filters/search.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import type { TrigramCandidates } from './candidates.ts'
import { bucketTarget } from './list-fields.ts'
import { type SearchMatch, searchMatch } from './search-match.ts'

/** Where one way of finding matches becomes faster than another. */
export type MatchLimits = {
  /** More matches than this are counted by the database and not remembered one by one. */
  candidates_max: number
  /** In a namespace of fewer buckets than this, reading all of them is as fast as asking an index. */
  index_buckets_min: number
}

export const MATCH_LIMITS: MatchLimits = { candidates_max: 2000, index_buckets_min: 500 }

export type ListFilter = { search: SearchPattern | null; filter: FilterNode | null }

/** What is known of the buckets that match, at one state of the namespace. */
export type Matches = Totals & {
  /** The state: `version` of the totals. */
  version: number
  /** All of them, when they are few. */
  seqs: readonly number[] | null
}

export type Totals = { count: number; objects: number; size_bytes: number }

/** The totals of a namespace and the version that they belong to. */
export async function readTotals(db: DbOrTrx, namespaceId: string): Promise<Totals & { version: number }> {
  const row = await db
    .selectFrom('bucket_totals')
    .select([
      sql<number>`coalesce(sum(bucket_count), 0)`.as('count'),
      sql<number>`coalesce(sum(object_count), 0)`.as('objects'),
      sql<number>`coalesce(sum(total_size_bytes), 0)`.as('size_bytes'),
      sql<number>`coalesce(sum(version), 0)`.as('version'),
    ])
    .where('namespace_id', '=', namespaceId)
    .executeTakeFirstOrThrow()
  return row
}

/** Finds what matches. Reads as little as the selectivity of the search allows; call it inside a snapshot. */
export async function findMatches(
  trx: DbOrTrx,
  namespaceId: string,
  { search, filter }: ListFilter,
  candidates: TrigramCandidates,
  { candidates_max, index_buckets_min }: MatchLimits,
): Promise<Matches> {
  const { version, count } = await readTotals(trx, namespaceId)
  const match = search && searchMatch(search, dialect(trx))
  const isIndexed = dialect(trx) === 'sqlite' && count >= index_buckets_min
  const few = match?.literals && isIndexed ? await candidates.find(trx, match.literals) : null
  const rows = await matchingRows(trx, namespaceId, { match, filter, seqs: few })
    .select(['buckets.bucket_seq', 'buckets.object_count', 'buckets.total_size_bytes'])
    .limit(candidates_max + 1)
    .execute()
  if (rows.length > candidates_max) {
    const totals = await matchingRows(trx, namespaceId, { match, filter, seqs: null })
      .select([
        sql<number>`count(*)`.as('count'),
        sql<number>`sum(buckets.object_count)`.as('objects'),
        sql<number>`sum(buckets.total_size_bytes)`.as('size_bytes'),
      ])
      .executeTakeFirstOrThrow()
    return { version, seqs: null, ...totals }
  }
  return {
    version,
    seqs: rows.map(({ bucket_seq }) => bucket_seq),
    count: rows.length,
    objects: rows.reduce((sum, { object_count }) => sum + object_count, 0),
    size_bytes: rows.reduce((sum, { total_size_bytes }) => sum + total_size_bytes, 0),
  }
}

type Restriction = { match: SearchMatch | null; filter: FilterNode | null; seqs: readonly number[] | null }

/** Matching buckets in no order, read through the search column if there is a search. */
function matchingRows(db: DbOrTrx, namespaceId: string, { match, filter, seqs }: Restriction) {
  let query = db
    .selectFrom('buckets')
    .where('buckets.namespace_id', '=', namespaceId)
    .where(compileFilter(filter, bucketTarget[dialect(db)]))
  if (!match) return query
  // SQLite keeps the order of a cross join: the narrow table first, then the rows that it leaves.
  let searched = db
    .selectFrom('bucket_search as s')
    .crossJoin('buckets')
    .where('s.namespace_id', '=', namespaceId)
    .whereRef('buckets.bucket_seq', '=', 's.bucket_seq')
    .where(match.condition)
    .where('buckets.namespace_id', '=', namespaceId)
    .where(compileFilter(filter, bucketTarget[dialect(db)]))
  if (seqs) searched = searched.where(isOneOf(db, 's.bucket_seq', seqs))
  query = searched as unknown as typeof query
  return query
}

/** Numbers as one parameter: the statement stays the same however many there are. */
export function isOneOf(db: DbOrTrx, column: string, seqs: readonly number[]): Expression<SqlBool> {
  return dialect(db) === 'sqlite'
    ? sql<SqlBool>`${sql.ref(column)} in (select value from json_each(${JSON.stringify(seqs)}))`
    : sql<SqlBool>`${sql.ref(column)} = any(${seqs}::bigint[])`
}

/** The condition that a bucket matches, for a query that walks an order and stops early. */
export function isMatch(
  db: DbOrTrx,
  namespaceId: string,
  { search, filter }: ListFilter,
): Expression<SqlBool>[] {
  const conditions = [compileFilter(filter, bucketTarget[dialect(db)])]
  if (search) {
    const { condition } = searchMatch(search, dialect(db))
    conditions.push(
      sql<SqlBool>`exists (select 1 from bucket_search as s
        where s.namespace_id = ${namespaceId} and s.bucket_seq = buckets.bucket_seq and ${condition})`,
    )
  }
  return conditions
}
