import { type CompiledQuery, type Expression, sql } from 'kysely'
import type { SortKey } from '../../core/filters/sort.ts'
import type { CursorPosition, PageRequest } from '../../core/pagination.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { type CompiledSort, compileSort } from '../../platform/db/filters/sort.ts'
import { isOneOf, numberList } from '../../platform/db/number-list.ts'
import { slot, Templates } from '../../platform/db/templates.ts'
import { bucketTarget, INDEXED_SORTS } from './list-fields.ts'
import { isMatch, type ListFilter, type Totals } from './matches.ts'
import { bucketJson } from './row-json.ts'

/** A row of a page; `key_<n>` are its sort keys. */
export type PageRow = { json: string; bucket_id: string; totals: string } & Record<
  `key_${number}`,
  string | number | null
>

/** Which rows: all of the namespace, these, or those that pass a filter; equal filters have equal keys. */
export type PageOf =
  | { kind: 'all' }
  | { kind: 'seqs'; seqs: readonly number[] }
  | { kind: 'filter'; filter: ListFilter; key: string }

export type PageQuery = {
  of: PageOf
  sort: readonly SortKey[]
  position: CursorPosition | null
  page: PageRequest
}

/** Reads pages of buckets. */
export class PageReader {
  readonly #templates = new Templates()

  /** The rows of a page and one more if there is one; each says the totals of the namespace at the same state. */
  read(db: DbOrTrx, namespaceId: string, query: PageQuery): Promise<PageRow[]> {
    const { of, sort, position, page } = query
    if (position) compileSort(sort, bucketTarget[dialect(db)], 'buckets.bucket_id').check(position)
    const values: Record<string, unknown> = {
      namespaceId,
      limit: page.limit + 1,
      offset: page.offset,
      id: position?.id,
      seqs: of.kind === 'seqs' ? numberList(db, of.seqs) : undefined,
    }
    for (const [i, key] of position?.keys.entries() ?? []) values[`key_${i}`] = key
    const filter = of.kind === 'filter' ? of.key : null
    const nulls = position?.keys.map((key) => key === null)
    const shape = JSON.stringify([of.kind, filter, sort, nulls, !position && page.offset > 0])
    return this.#templates.run(db, shape, values, () => build(db, query))
  }
}

const NAMESPACE = slot<string>('namespaceId')

function build(db: DbOrTrx, { of, sort, position, page }: PageQuery): CompiledQuery<PageRow> {
  const order = compileSort(sort, bucketTarget[dialect(db)], 'buckets.bucket_id')
  let rows = db.selectFrom('buckets').where('buckets.namespace_id', '=', NAMESPACE)
  if (of.kind === 'seqs') rows = rows.where(isOneOf(db, 'buckets.bucket_seq', slot('seqs')))
  if (of.kind === 'filter')
    for (const condition of isMatch(db, NAMESPACE, of.filter)) rows = rows.where(condition)
  if (position)
    rows = rows.where(
      order.after(position, {
        id: slot('id'),
        keys: position.keys.map((key, i) => (key === null ? null : slot(`key_${i}`))),
      }),
    )
  rows = ordered(rows, order).limit(sql<number>`${slot('limit')}`)
  if (!position && page.offset > 0) rows = rows.offset(sql<number>`${slot('offset')}`)

  // Sorting rows by something that no index delivers must not carry the JSON of all of them along.
  const isIndexed = of.kind !== 'seqs' && INDEXED_SORTS[dialect(db)].has(sort[0]!.field)
  const shown = isIndexed
    ? rows
    : ordered(
        db.selectFrom('buckets').where('buckets.bucket_seq', 'in', rows.select('buckets.bucket_seq')),
        order,
      )
  return shown
    .select('buckets.bucket_id')
    .select(bucketJson(dialect(db)).as('json'))
    .select(packedTotals().as('totals'))
    .select(order.keys.map((key, i) => sql<string | number | null>`${key}`.as(`key_${i}`)))
    .compile() as CompiledQuery<PageRow>
}

const ordered = <Q extends { orderBy(expression: Expression<unknown>): Q }>(
  query: Q,
  order: CompiledSort,
): Q => order.order_by.reduce<Q>((sorted, expression) => sorted.orderBy(expression), query)

/** One text, so that every row carries little. */
const packedTotals = () =>
  sql<string>`(select coalesce(sum(bucket_count), 0) || ',' || coalesce(sum(object_count), 0) || ',' ||
    coalesce(sum(total_size_bytes), 0) || ',' || coalesce(sum(version), 0)
    from bucket_totals where namespace_id = ${NAMESPACE})`

/** The totals that a row of a page says. */
export function totalsOf({ totals }: PageRow): Totals & { version: number } {
  const [count, objects, size_bytes, version] = totals.split(',').map(Number)
  return { count: count!, objects: objects!, size_bytes: size_bytes!, version: version! }
}

export function keysOf(row: PageRow): (string | number | null)[] {
  const keys: (string | number | null)[] = []
  for (let i = 0; `key_${i}` in row; i++) keys.push(row[`key_${i}`]!)
  return keys
}
