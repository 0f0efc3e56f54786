import { type Expression, type SqlBool, sql } from 'kysely'

/** A condition that may also come out as SQL null, which counts as false. */
export type Bool = Expression<SqlBool>

export const FALSE: Bool = sql<SqlBool>`(1 = 0)`
export const TRUE: Bool = sql<SqlBool>`(1 = 1)`

export function anyOf(parts: readonly Bool[]): Bool {
  if (parts.length === 0) return FALSE
  return parts.length === 1 ? parts[0]! : sql<SqlBool>`(${sql.join(parts, sql` or `)})`
}

export function allOf(parts: readonly Bool[]): Bool {
  if (parts.length === 0) return TRUE
  return parts.length === 1 ? parts[0]! : sql<SqlBool>`(${sql.join(parts, sql` and `)})`
}

/** The exact complement: null counts as false, so its complement is true. */
export const notTrue = (part: Bool): Bool => sql<SqlBool>`((${part}) is not true)`
