import { type Expression, type SqlBool, sql } from 'kysely'
import { type DbOrTrx, dialect } from './db.ts'

/** Whether a column is among numbers that are one parameter: the statement stays the same however many there are. */
export function isOneOf(db: DbOrTrx, column: string, seqs: unknown): Expression<SqlBool> {
  return dialect(db) === 'sqlite'
    ? sql<SqlBool>`${sql.ref(column)} in (select value from json_each(${seqs}))`
    : sql<SqlBool>`${sql.ref(column)} = any(${seqs}::bigint[])`
}

/** The parameter of `isOneOf`. */
export const numberList = (db: DbOrTrx, seqs: readonly number[]): unknown =>
  dialect(db) === 'sqlite' ? JSON.stringify(seqs) : seqs
