import { type Expression, type SqlBool, sql } from 'kysely'
import { foldCase } from '../../core/filters/fold.ts'
import { type GlobPiece, type SearchPattern, searchedText } from '../../core/filters/search.ts'
import type { Dialect } from '../../platform/db/db.ts'
import { compileSearch } from '../../platform/db/filters/search.ts'
import { SEARCH_FIELDS } from './list-fields.ts'
import { isAmbiguous, SEPARATOR, withoutSeparator } from './search-text.ts'

/** A search as conditions on `bucket_search as s` joined with `buckets`. */
export type SearchMatch = {
  /** Texts that `s.folded` of every match holds. */
  literals: readonly string[]
  case_sensitive: boolean
  /** What the literals cannot say, as a condition on the bucket. */
  check: Expression<SqlBool> | null
}

/**
 * The search column decides nearly everything by substrings. What it cannot tell (several pieces of
 * a glob, `?`, case, control characters) is checked on the bucket itself, for the few rows that the
 * substrings leave.
 */
export function searchMatch(pattern: SearchPattern, dialect: Dialect): SearchMatch {
  const runs = pattern.glob ? globRuns(pattern.pieces) : [{ text: searchedText(pattern), start: '', end: '' }]
  const { case_sensitive } = pattern
  const hasOneChar = pattern.pieces.some((piece) => piece.includes(null))
  const needsCheck =
    case_sensitive || hasOneChar || runs.length > 1 || runs.some(({ text }) => isAmbiguous(text))
  return {
    literals: runs.map(({ text, start, end }) => {
      const folded = case_sensitive ? foldCase(text) : text
      return `${start}${withoutSeparator(folded)}${end}`
    }),
    case_sensitive,
    check: needsCheck ? compileSearch(pattern, SEARCH_FIELDS, dialect) : null,
  }
}

/** All of a search as one condition; `bind` says what stands for the parameter of each literal. */
export function searchCondition(
  { literals, case_sensitive, check }: SearchMatch,
  dialect: Dialect,
  bind: (i: number) => unknown = (i) => literalParameter(literals[i]!, dialect),
): Expression<SqlBool> {
  const conditions = literals.map((_, i) => holds(bind(i), dialect, case_sensitive))
  if (check) conditions.push(check)
  return conditions.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`${sql.join(conditions, sql` and `)}`
}

/** PostgreSQL's trigram index serves LIKE. */
export const literalParameter = (literal: string, dialect: Dialect): string =>
  dialect === 'sqlite' ? literal : `%${literal.replace(/[\\%_]/g, '\\$&')}%`

function holds(parameter: unknown, dialect: Dialect, case_sensitive: boolean): Expression<SqlBool> {
  const found =
    dialect === 'sqlite'
      ? sql<SqlBool>`instr(s.folded, ${parameter}) > 0`
      : sql<SqlBool>`s.folded like ${parameter}`
  if (!case_sensitive) return found
  // Folding composes characters: text beyond ASCII may hold a phrase as it is and not when folded.
  const length = sql.raw(dialect === 'sqlite' ? 'length' : 'char_length')
  return sql<SqlBool>`(${found} or octet_length(s.folded) <> ${length}(s.folded))`
}

type Run = { text: string; start: string; end: string }

/** The literal runs of a glob over a whole text; the first and the last stand at the ends of the text. */
function globRuns(pieces: readonly GlobPiece[]): Run[] {
  return pieces.flatMap((piece, i) => {
    const texts = piece.reduce<string[]>(
      (runs, character) => {
        if (character === null) runs.push('')
        else runs[runs.length - 1] += character
        return runs
      },
      [''],
    )
    return texts
      .map((text, j) => ({
        text,
        start: i === 0 && j === 0 ? SEPARATOR : '',
        end: i === pieces.length - 1 && j === texts.length - 1 ? SEPARATOR : '',
      }))
      .filter(({ text }) => text !== '')
  })
}
