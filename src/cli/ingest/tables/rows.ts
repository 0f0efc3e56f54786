import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, isAbsolute, relative, resolve } from 'node:path'
import { canonicalJson } from '../../../core/json.ts'
import { type ColumnRule, isFile } from './columns.ts'

/** Where the hash of a row is kept, so that a second run leaves unchanged rows alone. */
export const ROW_HASH = 'row_hash'
/** Names a row where no column does. */
export const ROW_KEY = 'row_key'

export type RowObject = { key: string; hash: string; object: Record<string, unknown> }

/**
 * A row as an object to create. Cells of file columns are URLs, or paths below `folder`, whose files
 * travel along. Throws with the reason when a value does not fit or a file cannot be read.
 */
export async function toObject(
  values: Readonly<Record<string, unknown>>,
  { rules, keys, folder }: { rules: readonly ColumnRule[]; keys: readonly string[]; folder: string },
): Promise<RowObject> {
  const fields: Record<string, unknown> = {}
  const files: { rule: ColumnRule; cell: string }[] = []
  for (const rule of rules) {
    const cell = values[rule.column]
    if (cell === undefined || cell === null || cell === '') continue
    if (isFile(rule.type) && rule.type !== 'text') files.push({ rule, cell: String(cell) })
    else fields[rule.field] = convert(cell, rule)
  }
  const hash = createHash('sha256').update(canonicalJson(values)).digest('hex').slice(0, 32)
  const key = keys.length > 0 ? keyOf(fields, keys) : hash
  const blobs = await Promise.all(files.map((file) => toBlob(file, folder)))
  return {
    key,
    hash,
    object: {
      ...fields,
      [ROW_HASH]: hash,
      ...(keys.length === 0 && { [ROW_KEY]: hash }),
      ...(blobs.length > 0 && { blobs }),
    },
  }
}

/** How objects of the same row are found again: the values of its key fields as one text. */
export function keyOf(fields: Readonly<Record<string, unknown>>, keys: readonly string[]): string {
  return canonicalJson(
    keys.map((key) => {
      const value = fields[key]
      if (value === undefined || value === null) throw new Error(`The key column for "${key}" is empty.`)
      return value
    }),
  )
}

function convert(cell: unknown, { type, column }: ColumnRule): unknown {
  if (type === 'string' || type === 'text' || type === 'date' || type === 'datetime')
    return typeof cell === 'object' ? JSON.stringify(cell) : String(cell).trim()
  if (typeof cell !== 'string') return cell
  const text = cell.trim()
  if (type === 'integer' || type === 'number') {
    const value = Number(text)
    if (text === '' || !Number.isFinite(value) || (type === 'integer' && !Number.isSafeInteger(value)))
      throw new Error(`"${cell}" in column "${column}" is no ${type}.`)
    return value
  }
  if (type === 'boolean') {
    if (!/^(?:true|false|yes|no|1|0)$/i.test(text))
      throw new Error(`"${cell}" in column "${column}" is no boolean.`)
    return /^(?:true|yes|1)$/i.test(text)
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`"${cell}" in column "${column}" is no JSON ${type}.`)
  }
}

async function toBlob({ rule, cell }: { rule: ColumnRule; cell: string }, folder: string): Promise<unknown> {
  const { field: property, type } = rule
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(cell)) return { property, type, data: cell }
  const path = resolve(folder, cell)
  const inside = relative(folder, path)
  // A table from elsewhere must not make the program send files that it was never meant to read.
  if (inside.startsWith('..') || isAbsolute(inside))
    throw new Error(`"${cell}" in column "${rule.column}" lies outside the folder of the table.`)
  const content = await readFile(path)
  return { property, type, data: { base64: content.toString('base64'), filename: basename(path) } }
}
