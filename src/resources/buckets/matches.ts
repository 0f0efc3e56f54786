import { type Expression, type SqlBool, sql } from 'kysely'
import type { FilterNode } from '../../core/filters/ast.ts'
import type { SearchPattern } from '../../core/filters/search.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { isOneOf, numberList } from '../../platform/db/number-list.ts'
import { slot, Templates } from '../../platform/db/templates.ts'
import { TrigramCandidates } from './candidates.ts'
import { bucketTarget } from './list-fields.ts'
import { literalParameter, type SearchMatch, searchCondition, searchMatch } from './search-match.ts'

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

/** Parameters that the statements of this file share. */
const NAMESPACE = slot<string>('namespaceId')

/** Finds what matches a search and a filter, reading as little as their selectivity allows. */
export class MatchFinder {
  readonly #limits: MatchLimits
  readonly #candidates: TrigramCandidates
  readonly #templates = new Templates()

  constructor(limits: MatchLimits) {
    this.#limits = limits
    this.#candidates = new TrigramCandidates(limits)
  }

  /** The totals of a namespace and the version that they belong to. */
  async totals(db: DbOrTrx, namespaceId: string): Promise<Totals & { version: number }> {
    const [totals] = await this.#templates.run(db, 'totals', { namespaceId }, () => totalsQuery(db))
    return totals!
  }

  /**
   * Reads the version first: whoever reads the same version afterwards, in whatever statement,
   * knows that nothing has changed in between. `key` is equal for equal filters.
   */
  async find(
    db: DbOrTrx,
    namespaceId: string,
    { search, filter }: ListFilter,
    key: string,
  ): Promise<Matches> {
    const { version, count } = await this.totals(db, namespaceId)
    const match = search && searchMatch(search, dialect(db))
    const isIndexed =
      match && !match.case_sensitive && dialect(db) === 'sqlite' && count >= this.#limits.index_buckets_min
    const seqs = isIndexed ? await this.#candidates.find(db, match.literals) : null
    const values: Record<string, unknown> = { namespaceId, seqs: seqs && numberList(db, seqs) }
    for (const [i, literal] of match?.literals.entries() ?? [])
      values[`literal_${i}`] = literalParameter(literal, dialect(db))

    const limit = this.#limits.candidates_max + 1
    const restriction = { match, filter, hasSeqs: seqs !== null }
    const isPlain = filter === null && match !== null && match.check === null
    const shape = `${isPlain ? match.literals.length : key} ${restriction.hasSeqs}`
    const rows = await this.#templates.run(db, `rows ${shape}`, values, () =>
      matchingRows(db, restriction)
        .select(['buckets.bucket_seq', 'buckets.object_count', 'buckets.total_size_bytes'])
        .limit(limit)
        .compile(),
    )
    if (rows.length < limit) return { version, ...summed(rows) }
    const [totals] = await this.#templates.run(db, `sums ${shape}`, values, () =>
      matchingRows(db, { ...restriction, hasSeqs: false })
        .select([
          sql<number>`count(*)`.as('count'),
          sql<number>`sum(buckets.object_count)`.as('objects'),
          sql<number>`sum(buckets.total_size_bytes)`.as('size_bytes'),
        ])
        .compile(),
    )
    return { version, seqs: null, ...totals! }
  }
}

function totalsQuery(db: DbOrTrx) {
  return db
    .selectFrom('bucket_totals')
    .select([
      sql<number>`coalesce(sum(bucket_count), 0)`.as('count'),
      sql<number>`coalesce(sum(object_count), 0)`.as('objects'),
      sql<number>`coalesce(sum(total_size_bytes), 0)`.as('size_bytes'),
      sql<number>`coalesce(sum(version), 0)`.as('version'),
    ])
    .where('namespace_id', '=', NAMESPACE)
    .compile()
}

type Summed = { bucket_seq: number; object_count: number; total_size_bytes: number }

function summed(rows: readonly Summed[]): Totals & { seqs: number[] } {
  let objects = 0
  let size_bytes = 0
  const seqs = rows.map(({ bucket_seq, object_count, total_size_bytes }) => {
    objects += object_count
    size_bytes += total_size_bytes
    return bucket_seq
  })
  return { seqs, count: rows.length, objects, size_bytes }
}

type Restriction = { match: SearchMatch | null; filter: FilterNode | null; hasSeqs: boolean }

/** Matching buckets in no order, read through the search column if there is a search. */
function matchingRows(db: DbOrTrx, { match, filter, hasSeqs }: Restriction) {
  const passes = compileFilter(filter, bucketTarget[dialect(db)])
  const buckets = db.selectFrom('buckets').where('buckets.namespace_id', '=', NAMESPACE).where(passes)
  if (!match) return buckets
  // SQLite keeps the order of a cross join: the narrow table first, then the rows that it leaves.
  const searched = db
    .selectFrom('bucket_search as s')
    .crossJoin('buckets')
    .where('s.namespace_id', '=', NAMESPACE)
    .$if(hasSeqs, (query) => query.where(isOneOf(db, 's.bucket_seq', slot('seqs'))))
    .where(searchCondition(match, dialect(db), (i) => slot(`literal_${i}`)))
    .whereRef('buckets.bucket_seq', '=', 's.bucket_seq')
    .where('buckets.namespace_id', '=', NAMESPACE)
    .where(passes)
  return searched as unknown as typeof buckets
}

/** The condition that a bucket matches, for a query that walks an order and stops early. */
export function isMatch(
  db: DbOrTrx,
  namespaceId: string,
  { search, filter }: ListFilter,
): Expression<SqlBool>[] {
  const conditions = [compileFilter(filter, bucketTarget[dialect(db)])]
  if (search) {
    const found = searchCondition(searchMatch(search, dialect(db)), dialect(db))
    conditions.push(
      sql<SqlBool>`exists (select 1 from bucket_search as s
        where s.namespace_id = ${namespaceId} and s.bucket_seq = buckets.bucket_seq and ${found})`,
    )
  }
  return conditions
}
