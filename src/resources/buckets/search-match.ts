import { type Expression, type SqlBool, sql } from 'kysely'
import { foldCase } from '../../core/filters/fold.ts'
import { type GlobPiece, type SearchPattern, searchedText } from '../../core/filters/search.ts'
import type { Dialect } from '../../platform/db/db.ts'
import { compileSearch } from '../../platform/db/filters/search.ts'
import { SEARCH_FIELDS } from './list-fields.ts'
import { isAmbiguous, SEPARATOR, withoutSeparator } from './search-text.ts'

/** A search as a condition on `bucket_search as s` joined with `buckets`. */
export type SearchMatch = {
  /** Texts that `s.folded` of every match holds, or null where it need not hold them as they are. */
  literals: readonly string[] | null
  condition: Expression<SqlBool>
}

/**
 * The search column decides nearly everything by substrings. What it cannot tell (several pieces of
 * a glob, `?`, case, control characters) is checked on the bucket itself, for the few rows that the
 * substrings leave.
 */
export function searchMatch(pattern: SearchPattern, dialect: Dialect): SearchMatch {
  const runs = pattern.glob ? globRuns(pattern.pieces) : [{ text: searchedText(pattern), start: '', end: '' }]
  const { case_sensitive } = pattern
  const literals = runs.map(({ text, start, end }) => {
    const folded = case_sensitive ? foldCase(text) : text
    return `${start}${withoutSeparator(folded)}${end}`
  })
  const conditions = literals.map((literal) => holds(literal, dialect, case_sensitive))
  const hasOneChar = pattern.pieces.some((piece) => piece.includes(null))
  if (case_sensitive || hasOneChar || runs.length > 1 || runs.some(({ text }) => isAmbiguous(text)))
    conditions.push(compileSearch(pattern, SEARCH_FIELDS, dialect))
  return {
    literals: case_sensitive ? null : literals,
    condition:
      conditions.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`${sql.join(conditions, sql` and `)}`,
  }
}

function holds(literal: string, dialect: Dialect, case_sensitive: boolean): Expression<SqlBool> {
  const found =
    dialect === 'sqlite'
      ? sql<SqlBool>`instr(s.folded, ${literal}) > 0`
      : // The form that a trigram index serves.
        sql<SqlBool>`s.folded like ${`%${literal.replace(/[\\%_]/g, '\\$&')}%`}`
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
