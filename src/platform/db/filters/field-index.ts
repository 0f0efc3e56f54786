import { type RawBuilder, sql } from 'kysely'
import { documentField } from '../../../core/filters/document-fields.ts'
import { type Path, parsePath } from '../../../core/filters/path.ts'
import type { Dialect } from '../db.ts'

export type FieldIndex = {
  dialect: Dialect
  index_name: string
  table: string
  /** Columns that every query fixes before the field, such as `namespace_id` and `collection_id`. */
  scope: readonly string[]
  /** The JSON column, which holds objects only. */
  column: string
  path: Path
}

/**
 * Statements that make a payload index: name its field in `FilterTarget.indexed_fields` and compiled
 * filters can use it. Throws for a path that cannot be indexed; see `isIndexablePath`.
 *
 * SQLite: an index on the value for `eq`, `in` and ranges; for a nested path also one on the type of
 * each value on the way, to find rows with an array there, where the answer cannot come from the value.
 * PostgreSQL: a GIN index of everything the value can equal, for case-sensitive `eq` and `in`.
 */
export function createFieldIndex({
  dialect,
  index_name,
  table,
  scope,
  column,
  path,
}: FieldIndex): RawBuilder<unknown>[] {
  if (!isIndexablePath(path)) throw new Error(`The path ${path.join('.')} cannot be indexed.`)
  const json = sql.ref(column)
  if (dialect === 'postgres')
    return [
      sql`create index if not exists ${sql.ref(index_name)} on ${sql.table(table)} using gin (kura_keys(${postgresValue(json, path)}))`,
    ]
  const scoped = sql.join(scope.map((name) => sql.ref(name)))
  const values = [
    sql`json_extract(${json}, ${sql.lit(sqlitePath(path))})`,
    ...path.slice(1).map((_step, i) => sql`json_type(${json}, ${sql.lit(sqlitePath(path.slice(0, i + 1)))})`),
  ]
  // Rows without the field stay outside: they cost no space, and do not make the planner think that
  // equality finds many rows.
  return values.map(
    (value, i) =>
      sql`create index if not exists ${sql.ref(i === 0 ? index_name : `${index_name}_${i}`)} on ${sql.table(table)} (${scoped}, ${value}) where ${value} is not null`,
  )
}

/**
 * The places in the payload of documents that an index on a field has to cover, each by an index of
 * its own: `brand` is also asked for as `metadata.brand`, which looks under `metadata` first.
 */
export function documentIndexPaths(field: string): Path[] {
  const root = withoutPrefix(field)
  return [parsePath(root), parsePath(`metadata.${root}`)].filter(isIndexablePath)
}

/**
 * The one name of a field of documents for which a payload index can be made; null for others, such as
 * system fields, which stand elsewhere.
 */
export function payloadField(field: string): string | null {
  const root = withoutPrefix(field)
  if (root.length > FIELD_NAME_MAX || !isIndexablePath(parsePath(root))) return null
  const isElsewhere = documentField(root).some(([head]) => head === '_internal' || head === 'document_blobs')
  return isElsewhere ? null : root
}

/** Longer names cannot be payload indexes (contract, namespaces). */
const FIELD_NAME_MAX = 255

const withoutPrefix = (field: string) =>
  field.startsWith('metadata.') ? field.slice('metadata.'.length) : field

const INDEXABLE_NAME = /^[A-Za-z0-9_-]{1,100}$/

/** Member names only, of characters that are harmless inside SQL text: an index expression cannot have parameters. */
export const isIndexablePath = (path: Path): boolean =>
  path.length > 0 && path.every((step) => typeof step === 'string' && INDEXABLE_NAME.test(step))

/** `$."a"."b"[0]`. */
export const sqlitePath = (path: Path) =>
  `$${path.map((step) => (typeof step === 'number' ? `[${step}]` : `."${step}"`)).join('')}`

/** `column -> 'a' -> 'b'`, for member names. */
export function postgresValue(json: RawBuilder<unknown>, path: Path): RawBuilder<unknown> {
  return sql`(${json}${sql.join(
    path.map((step) => sql` -> ${sql.lit(step)}`),
    sql``,
  )})`
}
