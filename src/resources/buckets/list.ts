import { type Expression, sql } from 'kysely'
import { parseFilter } from '../../core/filters/parse.ts'
import { parseSearch } from '../../core/filters/search.ts'
import { parseSort, type SortKey } from '../../core/filters/sort.ts'
import { canonicalJson } from '../../core/json.ts'
import {
  type CursorPosition,
  decodeCursor,
  encodeCursor,
  type PageRequest,
  paginate,
} from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, type DbOrTrx, dialect, inSnapshot } from '../../platform/db/db.ts'
import { type CompiledSort, compileSort } from '../../platform/db/filters/sort.ts'
import { TrigramCandidates } from './candidates.ts'
import { bucketTarget, INDEXED_SORTS } from './list-fields.ts'
import {
  findMatches,
  isMatch,
  isOneOf,
  type ListFilter,
  MATCH_LIMITS,
  type Matches,
  type MatchLimits,
  readTotals,
  type Totals,
} from './matches.ts'
import { bucketJson } from './row-json.ts'
import type { ListBucketsBody } from './schemas.ts'

const NEWEST_FIRST: SortKey[] = [{ field: 'created_at', direction: 'desc' }]

/** Queries whose matches are remembered, with up to a few thousand numbers each. */
const REMEMBERED_MAX = 256

type Query = {
  filter: ListFilter
  sort: readonly SortKey[]
  page: PageRequest
  position: CursorPosition | null
  /** What a cursor belongs to. */
  identity: unknown
}

/**
 * Lists buckets as JSON text (`ListBucketsResponse`). Nothing is ever stale: totals and matches
 * that are remembered carry the version of the namespace they were read at, and are used only when
 * the rows of the page were read at the same version, in one statement or one snapshot.
 */
export class BucketLister {
  readonly #db: Db
  readonly #limits: MatchLimits
  readonly #candidates: TrigramCandidates
  readonly #remembered = new Map<string, Matches>()

  constructor(db: Db, limits: MatchLimits = MATCH_LIMITS) {
    this.#db = db
    this.#limits = limits
    this.#candidates = new TrigramCandidates(limits)
  }

  async list(
    { namespaceId }: Pick<Scope, 'namespaceId'>,
    body: ListBucketsBody,
    page: PageRequest,
  ): Promise<string> {
    const query = parseQuery(body, page)
    const { totals, rows } =
      query.filter.search === null && query.filter.filter === null
        ? await this.#all(namespaceId, query)
        : await this.#matching(namespaceId, query, body)
    return answer(query, totals, rows)
  }

  async #all(namespaceId: string, query: Query): Promise<Page> {
    const rows = await readPage(this.#db, namespaceId, query, null)
    const [first] = rows
    if (first) return { totals: unpack(first.totals), rows }
    // No row brings the totals along, so they are read beside the page that is empty.
    return inSnapshot(this.#db, async (trx) => ({
      totals: await readTotals(trx, namespaceId),
      rows: await readPage(trx, namespaceId, query, null),
    }))
  }

  async #matching(namespaceId: string, query: Query, body: ListBucketsBody): Promise<Page> {
    const { search, filters, case_sensitive } = body
    const key = canonicalJson([namespaceId, search, filters, case_sensitive])
    const known = this.#remembered.get(key)
    if (known && known.count > 0) {
      const rows = await readPage(this.#db, namespaceId, query, known)
      const [first] = rows
      if (first && unpack(first.totals).version === known.version) return { totals: known, rows }
    }
    return inSnapshot(this.#db, async (trx) => {
      const matches = await this.#matches(trx, namespaceId, query.filter, key)
      const rows = matches.count === 0 ? [] : await readPage(trx, namespaceId, query, matches)
      return { totals: matches, rows }
    })
  }

  async #matches(trx: DbOrTrx, namespaceId: string, filter: ListFilter, key: string): Promise<Matches> {
    const known = this.#remembered.get(key)
    // Deleted and set again, so that the oldest entry of the map is the one used longest ago.
    this.#remembered.delete(key)
    const isCurrent = known && (await readTotals(trx, namespaceId)).version === known.version
    const matches = isCurrent
      ? known
      : await findMatches(trx, namespaceId, filter, this.#candidates, this.#limits)
    this.#remembered.set(key, matches)
    if (this.#remembered.size > REMEMBERED_MAX) this.#remembered.delete(this.#remembered.keys().next().value!)
    return matches
  }
}

function parseQuery(body: ListBucketsBody, page: PageRequest): Query {
  const { search, filters, sort, case_sensitive } = body
  const keys = parseSort(sort)
  const identity = { search, filters, sort, case_sensitive }
  return {
    filter: {
      search: parseSearch(search, { case_sensitive }),
      filter: parseFilter(filters, { profile: 'management', ...(case_sensitive && { case_sensitive }) }),
    },
    sort: keys.length > 0 ? keys : NEWEST_FIRST,
    page,
    position: page.cursor === null ? null : decodeCursor(page.cursor, identity),
    identity,
  }
}

type Row = { json: string; bucket_id: string; totals: string } & Record<
  `key_${number}`,
  string | number | null
>
type Page = { totals: Totals; rows: Row[] }

/** The rows of a page and one more if there is one; each says the totals of the namespace at the same state. */
async function readPage(
  db: DbOrTrx,
  namespaceId: string,
  query: Query,
  matches: Pick<Matches, 'seqs'> | null,
): Promise<Row[]> {
  const { filter, sort, position, page } = query
  const order = orderOf(db, sort)
  let rows = db.selectFrom('buckets').where('buckets.namespace_id', '=', namespaceId)
  if (matches?.seqs) rows = rows.where(isOneOf(db, 'buckets.bucket_seq', matches.seqs))
  else if (matches) for (const condition of isMatch(db, namespaceId, filter)) rows = rows.where(condition)
  if (position) rows = rows.where(order.after(position))
  rows = ordered(rows, order).limit(page.limit + 1)
  if (!position && page.offset > 0) rows = rows.offset(page.offset)

  // Sorting rows by something that no index delivers must not carry the JSON of all of them along.
  const isIndexed = !matches?.seqs && INDEXED_SORTS[dialect(db)].has(sort[0]!.field)
  const shown = isIndexed
    ? rows
    : ordered(
        db.selectFrom('buckets').where('buckets.bucket_seq', 'in', rows.select('buckets.bucket_seq')),
        order,
      )
  return (await shown
    .select('buckets.bucket_id')
    .select(bucketJson(dialect(db)).as('json'))
    .select(packedTotals(namespaceId).as('totals'))
    .select(order.keys.map((key, i) => sql<string | number | null>`${key}`.as(`key_${i}`)))
    .execute()) as Row[]
}

const ordered = <Q extends { orderBy(expression: Expression<unknown>): Q }>(
  query: Q,
  order: CompiledSort,
): Q => order.order_by.reduce<Q>((sorted, expression) => sorted.orderBy(expression), query)

const orderOf = (db: DbOrTrx, sort: readonly SortKey[]) =>
  compileSort(sort, bucketTarget[dialect(db)], 'buckets.bucket_id')

/** One text, so that every row carries little. */
const packedTotals = (namespaceId: string) =>
  sql<string>`(select coalesce(sum(bucket_count), 0) || ',' || coalesce(sum(object_count), 0) || ',' ||
    coalesce(sum(total_size_bytes), 0) || ',' || coalesce(sum(version), 0)
    from bucket_totals where namespace_id = ${namespaceId})`

function unpack(packed: string): Totals & { version: number } {
  const [count, objects, size_bytes, version] = packed.split(',').map(Number)
  return { count: count!, objects: objects!, size_bytes: size_bytes!, version: version! }
}

function answer(
  { page, identity }: Query,
  { count, objects, size_bytes }: Totals,
  rows: readonly Row[],
): string {
  const shown = rows.slice(0, page.limit)
  const last = shown.at(-1)
  const next_cursor =
    last && rows.length > page.limit
      ? encodeCursor({ keys: keysOf(last), id: last.bucket_id }, identity)
      : null
  const pagination = paginate({ page, total: count, path: '/v1/buckets/list', next_cursor })
  const stats = {
    total_objects: objects,
    total_size_bytes: size_bytes,
    avg_objects_per_bucket: count === 0 ? 0 : objects / count,
    avg_size_per_bucket: count === 0 ? 0 : size_bytes / count,
  }
  const results = shown.map(({ json }) => json).join(',')
  return `{"results":[${results}],"total_count":${count},"pagination":${JSON.stringify(pagination)},"stats":${JSON.stringify(stats)}}`
}

function keysOf(row: Row): (string | number | null)[] {
  const keys: (string | number | null)[] = []
  for (let i = 0; `key_${i}` in row; i++) keys.push(row[`key_${i}`]!)
  return keys
}
