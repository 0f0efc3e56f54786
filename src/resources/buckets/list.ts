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
import { LruMap } from '../../lib/lru-map.ts'
import { type Db, type DbOrTrx, inSnapshot, oncePerTurn } from '../../platform/db/db.ts'
import {
  type ListFilter,
  MATCH_LIMITS,
  type Matches,
  MatchFinder,
  type MatchLimits,
  type Totals,
} from './matches.ts'
import { keysOf, type PageOf, PageReader, type PageRow, totalsOf } from './page.ts'
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

/** An answer, and the version of the namespace that it tells of. */
type Answer = { version: number; text: string }

/** Answers that are remembered; larger ones are made anew. */
const ANSWERS_MAX = 256
const ANSWER_CHARACTERS_MAX = 64 * 1024

/**
 * Lists buckets as JSON text (`ListBucketsResponse`). Nothing is ever stale: what is remembered
 * carries the version of the namespace it was read at, and is used only when the namespace still
 * has that version, as one statement tells that is a twentieth of the work.
 */
export class BucketLister {
  readonly #db: Db
  readonly #matches: MatchFinder
  readonly #pages = new PageReader()
  readonly #remembered = new LruMap<Matches>(REMEMBERED_MAX)
  readonly #answers = new LruMap<Answer>(ANSWERS_MAX)
  readonly #finding = new Map<string, Promise<Matches>>()

  constructor(db: Db, limits: MatchLimits = MATCH_LIMITS) {
    this.#db = db
    this.#matches = new MatchFinder(limits)
  }

  async list(
    { namespaceId }: Pick<Scope, 'namespaceId'>,
    body: ListBucketsBody,
    page: PageRequest,
  ): Promise<string> {
    const { search, filters, sort, case_sensitive } = body
    const request = JSON.stringify([namespaceId, search, filters, sort, case_sensitive, page])
    const known = this.#answers.get(request)
    if (known && (await this.#version(namespaceId)) === known.version) return known.text
    const query = parseQuery(body, page)
    const { totals, rows } =
      query.filter.search === null && query.filter.filter === null
        ? await this.#all(namespaceId, query)
        : await this.#matching(namespaceId, query, body)
    const text = answer(query, totals, rows)
    if (text.length <= ANSWER_CHARACTERS_MAX) this.#answers.set(request, { version: totals.version, text })
    return text
  }

  async #version(namespaceId: string): Promise<number> {
    const totals = await oncePerTurn(this.#db, `bucket totals ${namespaceId}`, () =>
      this.#matches.totals(this.#db, namespaceId),
    )
    return totals.version
  }

  async #all(namespaceId: string, query: Query): Promise<Page> {
    const rows = await this.#pages.read(this.#db, namespaceId, { ...query, of: ALL })
    const [first] = rows
    if (first) return { totals: totalsOf(first), rows }
    // No row brings the totals along, so they are read beside the page that is empty.
    return inSnapshot(this.#db, async (trx) => ({
      totals: await this.#matches.totals(trx, namespaceId),
      rows: await this.#pages.read(trx, namespaceId, { ...query, of: ALL }),
    }))
  }

  /** Without a transaction first: it pays only when somebody writes between the statements. */
  async #matching(namespaceId: string, query: Query, body: ListBucketsBody): Promise<Page> {
    const { search, filters, case_sensitive } = body
    const key = canonicalJson([namespaceId, search, filters, case_sensitive])
    const remembered = this.#remembered.get(key)
    const isCurrent = remembered && remembered.version === (await this.#version(namespaceId))
    const known = isCurrent ? remembered : await this.#find(namespaceId, query.filter, key)
    const page = await this.#page(this.#db, namespaceId, query, key, known)
    if (page) return page
    const inOneState = await inSnapshot(this.#db, async (trx) => {
      const matches = await this.#matches.find(trx, namespaceId, query.filter, key)
      return this.#page(trx, namespaceId, query, key, matches)
    })
    return inOneState!
  }

  /** Requests that ask for the same at the same time find it together. */
  #find(namespaceId: string, filter: ListFilter, key: string): Promise<Matches> {
    const running = this.#finding.get(key)
    if (running) return running
    const finding = this.#matches
      .find(this.#db, namespaceId, filter, key)
      .finally(() => this.#finding.delete(key))
    this.#finding.set(key, finding)
    return finding
  }

  /** Undefined when the namespace has changed since the matches were found. */
  async #page(
    db: DbOrTrx,
    namespaceId: string,
    query: Query,
    key: string,
    matches: Matches,
  ): Promise<Page | undefined> {
    const of: PageOf = matches.seqs
      ? { kind: 'seqs', seqs: matches.seqs }
      : { kind: 'filter', filter: query.filter, key }
    const rows = matches.count === 0 ? [] : await this.#pages.read(db, namespaceId, { ...query, of })
    const [first] = rows
    const { version } = first ? totalsOf(first) : await this.#matches.totals(db, namespaceId)
    if (version !== matches.version) return undefined
    this.#remembered.set(key, matches)
    return { totals: matches, rows }
  }
}

const ALL = { kind: 'all' } as const

function parseQuery(body: ListBucketsBody, page: PageRequest): Query {
  const { search, filters, sort, case_sensitive } = body
  const keys = parseSort(sort)
  // The keys in their order, which the members of an object do not keep.
  const identity = { search, filters, keys, case_sensitive }
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

type Page = { totals: Totals & { version: number }; rows: PageRow[] }

function answer(
  { page, identity }: Query,
  { count, objects, size_bytes }: Totals,
  rows: readonly PageRow[],
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
