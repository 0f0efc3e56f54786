import { type SqlBool, sql } from 'kysely'
import { wordsOf } from '../../../core/filters/words.ts'
import { postgresRegex, wordRegex } from './postgres-regex.ts'
import type { ScalarSql } from './scalar-tests.ts'
import { allOf, FALSE } from './sql.ts'

/** Uses the functions of `postgresFunctions`. */
export const postgresScalar: ScalarSql = {
  fold: (text) => sql`kura_fold(${text})`,
  instant: (text) => sql`kura_instant(${text})`,
  number: (text) => sql`kura_number(${text})`,
  byCodePoint: (text) => sql`${text} collate "C"`,
  textValue: (value) => sql`${value}::text`,
  numberValue: (value) => sql`${value}::float8`,
  isOneOf(value, wanted) {
    if (typeof wanted[0] === 'number')
      return wanted.length === 1
        ? sql<SqlBool>`${value} = ${wanted[0]}::float8`
        : sql<SqlBool>`${value} = any(${wanted}::float8[])`
    return wanted.length === 1
      ? sql<SqlBool>`${value} = ${wanted[0]}::text`
      : sql<SqlBool>`${value} = any(${wanted}::text[])`
  },
  contains: (text, part) => sql<SqlBool>`strpos(${text}, ${part}::text) > 0`,
  startsWith: (text, prefix) => sql<SqlBool>`starts_with(${text}, ${prefix}::text)`,
  endsWith: (text, suffix) => sql<SqlBool>`right(${text}, ${[...suffix].length}::integer) = ${suffix}::text`,
  regex(text, pattern, fold) {
    const subject = fold ? sql`normalize(${text}, NFC)` : text
    return sql<SqlBool>`(${subject} collate "C") ~ ${postgresRegex(pattern, fold)}::text`
  },
  words(text, query) {
    const words = [...wordsOf(query)]
    if (words.length === 0) return FALSE
    return allOf(
      words.map((word) => sql<SqlBool>`(kura_fold(${text}) collate "C") ~ ${wordRegex(word)}::text`),
    )
  },
  storable: (text) => !text.includes('\0'),
}
