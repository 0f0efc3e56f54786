import { type Expression, type SqlBool, sql } from 'kysely'
import { KuraError } from '../../../core/errors.ts'
import type { SortDirection, SortKey } from '../../../core/filters/sort.ts'
import type { CursorPosition } from '../../../core/pagination.ts'
import type { Dialect } from '../db.ts'
import { present } from './compile.ts'
import { postgresSortText } from './postgres-json.ts'
import { allOf, anyOf, type Bool } from './sql.ts'
import { sqliteSortText } from './sqlite-json.ts'
import { sqliteScalar } from './sqlite-scalar.ts'
import {
  type ColumnRef,
  type ColumnSource,
  type FieldSource,
  type FilterTarget,
  refer,
  sourcesOf,
} from './target.ts'

/** An order of rows, complete because it ends with the id. */
export type CompiledSort = {
  /** For `orderBy`, in order. */
  order_by: Expression<unknown>[]
  /** What a cursor keeps of a row besides its id: select them under names of your own. */
  keys: Expression<string | number | null>[]
  /** Of each key; null comes last in both. Strings compare by code point. */
  directions: SortDirection[]
  /** Throws `cursor_invalid` for keys of another order. */
  check(position: CursorPosition): void
  /**
   * Whether a row comes after the one with these keys, which are checked. `parameters` stand for
   * them in the SQL where it is to be run again with others.
   */
  after(position: CursorPosition, parameters?: CursorPosition): Expression<SqlBool>
}

/** One expression of the order. Null comes last in either direction. */
type Term = {
  value: Expression<unknown>
  type: 'text' | 'number'
  direction: SortDirection
  required: boolean
}

/**
 * The order of `compareBy` in SQL, then by id ascending. Typed text columns sort as text even where
 * they look like dates (names do not); with a `folded` column and `required` columns an index can serve.
 */
export function compileSort(keys: readonly SortKey[], target: FilterTarget, id: ColumnRef): CompiledSort {
  const { dialect } = target
  const terms = keys.flatMap((key) => termsOf(key, target))
  const check = (position: CursorPosition) => {
    if (!fits(position, terms)) throw new KuraError('cursor_invalid')
  }
  return {
    order_by: [
      ...terms.map((term) => ordering(term, dialect)),
      sql`${inOrder(refer(id), 'text', dialect)} asc`,
    ],
    keys: terms.map(({ value }) => value as Expression<string | number | null>),
    directions: terms.map(({ direction }) => direction),
    check,
    after(position, parameters = position) {
      check(position)
      return after(terms, parameters, { id, dialect }, 0)
    },
  }
}

/** Cursors come back from clients, and a value of the wrong type would make the database fail. */
function fits({ keys, id }: CursorPosition, terms: readonly Term[]): boolean {
  const isText = (value: unknown) => typeof value === 'string' && !value.includes('\0')
  return (
    isText(id) &&
    keys.length === terms.length &&
    terms.every(
      ({ type }, i) => keys[i] === null || (type === 'text' ? isText(keys[i]) : typeof keys[i] === 'number'),
    )
  )
}

function termsOf({ field, direction }: SortKey, target: FilterTarget): Term[] {
  const sources = sourcesOf(field, target)
  const [only] = sources
  if (!only) return []
  if (sources.length === 1 && only.kind === 'column') return columnTerms(only, direction, target.dialect)
  return [{ value: firstSortText(sources, target), type: 'text', direction, required: false }]
}

function columnTerms(source: ColumnSource, direction: SortDirection, dialect: Dialect): Term[] {
  const { column, folded, required = false } = source
  const value = refer(column)
  if (source.type !== 'text')
    return [{ value, type: source.type === 'instant' ? 'text' : 'number', direction, required }]
  const inCase = folded === undefined ? foldOf(value, dialect) : refer(folded)
  return [
    { value: inCase, type: 'text', direction, required },
    { value, type: 'text', direction, required },
  ]
}

const foldOf = (text: Expression<unknown>, dialect: Dialect) =>
  dialect === 'sqlite' ? sqliteScalar.fold(text) : sql`kura_fold(${text})`

/** The sort text at the first place that has a value, even if that value has no sort text. */
function firstSortText(sources: readonly FieldSource[], target: FilterTarget): Expression<unknown> {
  const [only] = sources
  if (sources.length === 1) return sortTextOf(only!, target.dialect)
  const places = sources.map(
    (source) => sql`when ${present(source, target)} then ${sortTextOf(source, target.dialect)}`,
  )
  return sql`case ${sql.join(places, sql` `)} end`
}

function sortTextOf(source: FieldSource, dialect: Dialect): Expression<unknown> {
  if (source.kind === 'json') return dialect === 'sqlite' ? sqliteSortText(source) : postgresSortText(source)
  const value = refer(source.column)
  if (source.type === 'boolean') return sql`case ${value} when 1 then '41' when 0 then '40' end`
  return dialect === 'sqlite'
    ? sql`kura_sort_text('[]', json_quote(${value}))`
    : sql`kura_sort_text(to_jsonb(${value}))`
}

const inOrder = (value: Expression<unknown>, type: Term['type'], dialect: Dialect) =>
  dialect === 'postgres' && type === 'text' ? sql`${value} collate "C"` : value

function ordering({ value, type, direction, required }: Term, dialect: Dialect): Expression<unknown> {
  const nullsLast = required ? sql`` : sql` nulls last`
  return sql`${inOrder(value, type, dialect)} ${sql.raw(direction)}${nullsLast}`
}

type Place = { id: ColumnRef; dialect: Dialect }

function after(terms: readonly Term[], position: CursorPosition, place: Place, i: number): Bool {
  const term = terms[i]
  if (!term) return sql<SqlBool>`${inOrder(refer(place.id), 'text', place.dialect)} > ${position.id}`
  const further = after(terms, position, place, i + 1)
  const key = position.keys[i]
  if (key === null || key === undefined) return allOf([sql<SqlBool>`${term.value} is null`, further])

  const value = inOrder(term.value, term.type, place.dialect)
  const wanted =
    place.dialect === 'sqlite'
      ? sql`${key}`
      : sql`${key}::${sql.raw(term.type === 'text' ? 'text' : 'float8')}`
  const beyond = sql.raw(term.direction === 'asc' ? '>' : '<')
  const rest = anyOf([
    sql<SqlBool>`${value} ${beyond} ${wanted}`,
    allOf([sql<SqlBool>`${value} = ${wanted}`, further]),
  ])
  // The bound alone lets an index start at the right row, which it cannot inside the alternatives.
  if (term.required) return allOf([sql<SqlBool>`${value} ${beyond}= ${wanted}`, rest])
  return anyOf([rest, sql<SqlBool>`${term.value} is null`])
}
