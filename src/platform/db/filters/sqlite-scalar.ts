import { type SqlBool, sql } from 'kysely'
import type { ScalarSql } from './scalar-tests.ts'

/** Texts of ASCII alone fold in SQL; only the others pay for the call into JavaScript. */
export const sqliteScalar: ScalarSql = {
  fold: (text) =>
    sql`case when octet_length(${text}) = length(${text}) then lower(${text}) else kura_fold(${text}) end`,
  instant: (text) => sql`kura_instant(${text})`,
  number: (text) => sql`kura_number(${text})`,
  byCodePoint: (text) => text,
  textValue: (value) => sql.val(value),
  numberValue: (value) => sql.val(value),
  isOneOf(value, wanted) {
    return wanted.length === 1
      ? sql<SqlBool>`${value} = ${wanted[0]}`
      : // Read into a temporary index once a query, however many values there are.
        sql<SqlBool>`${value} in (select ${elements(wanted)} from json_each(${JSON.stringify(wanted)}))`
  },
  contains: (text, part) => sql<SqlBool>`instr(${text}, ${part}) > 0`,
  startsWith: (text, prefix) => sql<SqlBool>`substr(${text}, 1, ${[...prefix].length}) = ${prefix}`,
  endsWith: (text, suffix) =>
    suffix === ''
      ? sql<SqlBool>`${text} is not null`
      : sql<SqlBool>`substr(${text}, ${-[...suffix].length}) = ${suffix}`,
  regex: (text, pattern, fold) => sql<SqlBool>`kura_regex(${pattern}, ${fold ? 'fold' : ''}, ${text})`,
  words: (text, query) => sql<SqlBool>`kura_words(${query}, ${text})`,
  storable: () => true,
}

/**
 * Large integers must become the doubles that JavaScript meant, not the decimals it wrote. A cast would
 * do so too, but `in` would then read stored text as numbers.
 */
const elements = (wanted: readonly string[] | readonly number[]) =>
  typeof wanted[0] === 'number' ? sql`value * 1.0` : sql`value`

/** For values inside JSON: naming them several times costs more than the call. */
export const sqliteJsonScalar: ScalarSql = { ...sqliteScalar, fold: (text) => sql`kura_fold(${text})` }
