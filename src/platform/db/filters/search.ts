import { type Expression, type SqlBool, sql } from 'kysely'
import { type SearchPattern, searchedText } from '../../../core/filters/search.ts'
import type { Dialect } from '../db.ts'
import { postgresScalar } from './postgres-scalar.ts'
import type { ScalarSql } from './scalar-tests.ts'
import { anyOf, type Bool, FALSE, TRUE } from './sql.ts'
import type { JsonSearch } from './sqlite-functions.ts'
import { sqliteScalar } from './sqlite-scalar.ts'
import { type ColumnRef, refer } from './target.ts'

/** Where a list searches. */
export type SearchField =
  | { kind: 'text'; column: ColumnRef; folded?: ColumnRef }
  /** Every string inside a JSON column, at any depth; `within` is stored JSON that holds the column's strings. */
  | { kind: 'leaves'; column: ColumnRef; within?: ColumnRef }
  /** The strings that are members of the JSON object itself. */
  | { kind: 'members'; column: ColumnRef }

/** Whether any of the fields is found by a search phrase, as `matchesSearch` finds it. */
export function compileSearch(
  pattern: SearchPattern,
  fields: readonly SearchField[],
  dialect: Dialect,
): Expression<SqlBool> {
  const found = dialect === 'sqlite' ? foundBySqlite : foundByPostgres
  return anyOf(fields.map((field) => found(pattern, field)))
}

function foundBySqlite(pattern: SearchPattern, field: SearchField): Bool {
  const column = refer(field.column)
  if (field.kind === 'text') {
    return pattern.glob
      ? sql<SqlBool>`kura_glob(${JSON.stringify(pattern)}, ${column})`
      : contains(sqliteScalar, pattern, field)
  }
  const search: JsonSearch = { pattern, members_only: field.kind === 'members' }
  const found = sql<SqlBool>`kura_search(${JSON.stringify(search)}, ${column})`
  return sql<SqlBool>`(${mayHold(pattern, storedJson(field))} and ${column} <> '{}' and ${found})`
}

const storedJson = (field: Exclude<SearchField, TextField>) =>
  refer((field.kind === 'leaves' && field.within) || field.column)

/** Characters that stand in JSON text as they are. */
const PLAIN = /^[ !#-[\]-~\u0080-\u{10ffff}]+$/u
const BEYOND_ASCII = /[^\0-\x7f]/

/**
 * Whether JSON text may hold a string that is found: it has the longest literal part of the phrase in it
 * or, where case does not count, characters that fold in other ways than ASCII does. Most rows fail this
 * at a tenth of the cost of parsing them: 0.5 against 7 microseconds for 330 bytes.
 */
function mayHold(pattern: SearchPattern, json: Expression<unknown>): Bool {
  const runs = pattern.pieces.flatMap((piece) => literalRuns(piece))
  const run = runs.filter((text) => PLAIN.test(text)).sort((a, b) => b.length - a.length)[0]
  if (run === undefined) return TRUE
  if (pattern.case_sensitive) return sql<SqlBool>`instr(${json}, ${run}) > 0`
  const isBeyondAscii = sql<SqlBool>`octet_length(${json}) <> length(${json})`
  if (BEYOND_ASCII.test(run)) return isBeyondAscii
  return anyOf([sql<SqlBool>`instr(lower(${json}), ${run}) > 0`, isBeyondAscii])
}

function literalRuns(piece: readonly (string | null)[]): string[] {
  const runs: string[] = ['']
  for (const character of piece) {
    if (character === null) runs.push('')
    else runs[runs.length - 1] += character
  }
  return runs
}

function foundByPostgres(pattern: SearchPattern, field: SearchField): Bool {
  const column = refer(field.column)
  if (pattern.pieces.some((piece) => piece.includes('\0'))) return FALSE
  if (field.kind === 'text') return textFound(pattern, field)
  const text = textFound(pattern, { kind: 'text', column: sql`(v #>> '{}')` })
  const values =
    field.kind === 'leaves'
      ? sql`jsonb_path_query(${column}, 'strict $.**') as v`
      : sql`jsonb_each(${column}) as member(name, v)`
  return sql<SqlBool>`exists (select 1 from ${values} where case when jsonb_typeof(v) = 'string' then ${text} end)`
}

type TextField = Extract<SearchField, { kind: 'text' }>

function textFound(pattern: SearchPattern, field: TextField): Bool {
  if (!pattern.glob) return contains(postgresScalar, pattern, field)
  const like = pattern.pieces.map((piece) => piece.map(likeCharacter).join('')).join('%')
  return sql<SqlBool>`${inCase(postgresScalar, pattern, field)} collate "C" like ${like}::text escape '\\'`
}

function contains(scalar: ScalarSql, pattern: SearchPattern, field: TextField): Bool {
  return scalar.contains(inCase(scalar, pattern, field), searchedText(pattern))
}

function inCase(
  scalar: ScalarSql,
  { case_sensitive }: SearchPattern,
  { column, folded }: TextField,
): Expression<unknown> {
  if (case_sensitive) return refer(column)
  return folded === undefined ? scalar.fold(refer(column)) : refer(folded)
}

function likeCharacter(character: string | null): string {
  if (character === null) return '_'
  return character === '%' || character === '_' || character === '\\' ? `\\${character}` : character
}
