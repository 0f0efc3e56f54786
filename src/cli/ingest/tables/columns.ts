import { ApiError } from '../../client.ts'
import type { TableRow } from './read-table.ts'

/** Types that `--map` takes: those of the bucket schema that a cell can hold. */
const VALUE_TYPES = ['string', 'integer', 'number', 'boolean', 'date', 'datetime', 'object', 'array'] as const
const FILE_TYPES = ['text', 'image', 'video', 'audio', 'pdf', 'excel'] as const
export type FieldType = (typeof VALUE_TYPES)[number] | (typeof FILE_TYPES)[number]
const TYPES: readonly string[] = [...VALUE_TYPES, ...FILE_TYPES]

/** How one column becomes a field. `text` is searched by meaning; other file types hold a URL or a path. */
export type ColumnRule = { field: string; column: string; type: FieldType }

/** Strings that are this long on average are prose, which is worth searching by meaning. */
const PROSE_LENGTH = 40
/** Fields that the server sets itself. */
const RESERVED =
  /^(?:_.*|object_id|bucket_id|namespace_id|key_prefix|blobs?|source_details|status|error|created_at|updated_at|content_hash|skip_duplicates|canonicalize_source|force_remirror|metadata)$/

export const isFile = (type: FieldType) => (FILE_TYPES as readonly string[]).includes(type)

/** Reads `field=column` or `field=column:type`. Throws ApiError with what is wrong. */
export function parseMapping(
  given: readonly string[],
): { field: string; column: string; type?: FieldType }[] {
  return given.map((text) => {
    const match = /^([A-Za-z0-9_]+)=(.+?)(?::([a-z]+))?$/.exec(text)
    if (!match) throw new ApiError(0, `--map takes field=column or field=column:type, not "${text}".`, null)
    const [, field = '', column = '', type] = match
    if (type !== undefined && !TYPES.includes(type))
      throw new ApiError(0, `--map ${text}: there is no type "${type}". Types: ${TYPES.join(', ')}.`, null)
    if (RESERVED.test(field))
      throw new ApiError(0, `--map ${text}: the server sets "${field}" itself. Choose another name.`, null)
    return { field, column, ...(type !== undefined && { type: type as FieldType }) }
  })
}

/**
 * The rules of a table: what `--map` says, else every column under its own name; types that are not
 * said are read off the first rows. Throws ApiError when a mapped column does not exist.
 */
export function planColumns(
  sample: readonly TableRow[],
  mapping: ReturnType<typeof parseMapping>,
): ColumnRule[] {
  const rows = sample.flatMap((row) => ('values' in row ? [row.values] : []))
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const wanted: ReturnType<typeof parseMapping> =
    mapping.length > 0 ? mapping : columns.map((column) => ({ column, field: fieldName(column) }))
  for (const { column } of wanted)
    if (!columns.includes(column))
      throw new ApiError(0, `There is no column "${column}". Columns: ${columns.join(', ')}.`, null)
  return wanted.map(({ field, column, type }) => ({
    field,
    column,
    type: type ?? inferType(rows.map((row) => row[column])),
  }))
}

/** A column name as a field: letters, digits and underscores, none of the server's own names. */
function fieldName(column: string): string {
  const name =
    column
      .trim()
      .replace(/[^A-Za-z0-9_]+/g, '_')
      .replace(/^_+/, '') || 'column'
  return RESERVED.test(name) ? `${name}_` : name
}

const INTEGER = /^-?(?:0|[1-9]\d{0,14})$/
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const DATE = /^\d{4}-\d{2}-\d{2}$/
const DATETIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?$/

/** The narrowest type that all values fit; numbers with leading zeros are codes, hence strings. */
function inferType(values: readonly unknown[]): FieldType {
  const present = values.filter((value) => value !== undefined && value !== null && value !== '')
  const all = (test: (value: unknown) => boolean) => present.length > 0 && present.every(test)
  const fits = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value)
  if (all((value) => Number.isSafeInteger(value) || fits(INTEGER)(value))) return 'integer'
  if (all((value) => typeof value === 'number' || fits(NUMBER)(value))) return 'number'
  if (all((value) => typeof value === 'boolean' || fits(/^(?:true|false)$/i)(value))) return 'boolean'
  if (all(Array.isArray)) return 'array'
  if (all((value) => typeof value === 'object' && !Array.isArray(value))) return 'object'
  if (all(fits(DATE))) return 'date'
  if (all(fits(DATETIME))) return 'datetime'
  const characters = present.reduce<number>((sum, value) => sum + String(value).length, 0)
  return characters / Math.max(1, present.length) > PROSE_LENGTH ? 'text' : 'string'
}
