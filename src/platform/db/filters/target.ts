import { type Expression, sql } from 'kysely'
import { type FieldPaths, type Path, plainField } from '../../../core/filters/path.ts'
import type { Dialect } from '../db.ts'

/**
 * What a typed column holds; SQL null is a missing field.
 * `text` any string, `instant` text from `timestamp()`, `boolean` 0 or 1.
 */
export type ColumnType = 'text' | 'number' | 'boolean' | 'instant'

/** A column by name (`bucket_name`, `buckets.bucket_name`) or any SQL expression. */
export type ColumnRef = string | Expression<unknown>

export type ColumnSource = {
  kind: 'column'
  column: ColumnRef
  type: ColumnType
  /** A column that keeps `foldCase` of this text column. */
  folded?: ColumnRef
  /** Never null, so that sorting by it can use an index. */
  required?: boolean
}

/** A place inside a JSON column. */
export type JsonSource = {
  kind: 'json'
  column: ColumnRef
  path: Path
  /** The column always holds an object (not an array), which spares a check a row. */
  is_object?: boolean
  /** The path is followed by a function, which takes few parameters, not by SQL, which is faster. */
  by_function?: boolean
}

export type FieldSource = ColumnSource | JsonSource

/** How the fields of a filter or sort map to one table. */
export type FilterTarget = {
  dialect: Dialect
  /** Places of a field, most wanted first; the same function as given to the reference evaluator. */
  field_paths?: FieldPaths
  /** Where a path is stored; null when no row has such a field. */
  locate(path: Path): FieldSource | null
  /** JSON fields (dotted, relative to their column) for which `createFieldIndex` has made an index. */
  indexed_fields?: ReadonlySet<string>
}

export function sourcesOf(field: string, { field_paths = plainField, locate }: FilterTarget): FieldSource[] {
  return field_paths(field)
    .map(locate)
    .filter((source) => source !== null)
}

/** In SQL each step of a path may need a look at what stands there, so longer paths are left to a function. */
const INLINE_STEPS_MAX = 5

export const isInline = ({ path, by_function = false }: JsonSource): boolean =>
  !by_function && path.length <= INLINE_STEPS_MAX

export const refer = (column: ColumnRef): Expression<unknown> =>
  typeof column === 'string' ? sql.ref(column) : column

type JsonColumn = Pick<JsonSource, 'column' | 'is_object'>

export type TableFields = {
  /** Typed columns by dotted field name: `bucket_id`, `batch_stats.total`. */
  columns: Readonly<Record<string, Omit<ColumnSource, 'kind'>>>
  /** JSON columns by the field under which their content appears: `metadata`, `bucket_schema`. */
  json?: Readonly<Record<string, JsonColumn>>
  /** The JSON column that holds every other field at its root. */
  rest?: JsonColumn
}

/** `locate` for a table whose fields can be listed. Typed columns win over JSON columns. */
export function tableFields({ columns, json = {}, rest }: TableFields): FilterTarget['locate'] {
  return (path) => {
    const names = path.every((step) => typeof step === 'string') ? path.join('.') : null
    if (names !== null && Object.hasOwn(columns, names)) return { kind: 'column', ...columns[names]! }
    const [head, ...inner] = path
    if (typeof head === 'string' && Object.hasOwn(json, head))
      return { kind: 'json', ...json[head]!, path: inner }
    return rest ? { kind: 'json', ...rest, path } : null
  }
}
