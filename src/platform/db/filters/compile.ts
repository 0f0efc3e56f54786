import { type Expression, type SqlBool, sql } from 'kysely'
import { type Condition, conditionsOf, type FilterNode, type Test } from '../../../core/filters/ast.ts'
import { columnTest } from './columns.ts'
import { postgresJson } from './postgres-json.ts'
import { postgresScalar } from './postgres-scalar.ts'
import { allOf, anyOf, type Bool, notTrue, TRUE } from './sql.ts'
import { sqliteJson } from './sqlite-json.ts'
import { sqliteScalar } from './sqlite-scalar.ts'
import { type FieldSource, type FilterTarget, type JsonSource, refer, sourcesOf } from './target.ts'

/** What a dialect knows about values inside a JSON column. */
export type JsonSql = {
  /** Whether the path leads to anything. */
  present(source: JsonSource): Bool
  /**
   * Alternatives of which one holds if the path leads to values that pass a positive test; else all are
   * null or false. `indexed`: see `createFieldIndex`.
   */
  matches(source: JsonSource, test: Test, indexed: boolean): Bool[]
}

const DIALECTS = {
  sqlite: { scalar: sqliteScalar, json: sqliteJson },
  postgres: { scalar: postgresScalar, json: postgresJson },
}

/**
 * A filter as a SQL condition that holds for exactly the rows that `evaluateFilter` accepts. Every
 * value and path is a bound parameter. Null filters restrict nothing.
 *
 * SQLite connections need `registerFilterFunctions`, PostgreSQL databases `postgresFunctions`.
 * There, two things are as near as the database allows: see postgres-regex.ts and postgres-functions.ts.
 */
export function compileFilter(node: FilterNode | null, target: FilterTarget): Expression<SqlBool> {
  if (node === null) return TRUE
  return compileNode(node, isLarge(node) ? followedByFunctions(target) : target)
}

/** Beyond this the parameters of a statement could run out: SQLite takes 32,766, PostgreSQL 65,535. */
const INLINE_CONDITIONS_MAX = 50

function isLarge(node: FilterNode): boolean {
  let conditions = 0
  for (const condition of conditionsOf(node)) {
    conditions += condition.operator === 'contains' ? Math.max(1, condition.value.length) : 1
    if (conditions > INLINE_CONDITIONS_MAX) return true
  }
  return false
}

function followedByFunctions(target: FilterTarget): FilterTarget {
  return {
    ...target,
    locate(path) {
      const source = target.locate(path)
      return source?.kind === 'json' ? { ...source, by_function: true } : source
    },
  }
}

function compileNode(node: FilterNode, target: FilterTarget): Bool {
  switch (node.kind) {
    case 'and':
      return allOf(node.children.map((child) => compileNode(child, target)))
    case 'or':
      return anyOf(node.children.map((child) => compileNode(child, target)))
    case 'not':
      return notTrue(anyOf(node.children.map((child) => compileNode(child, target))))
    case 'condition':
      return compileCondition(node, target)
  }
}

function compileCondition(condition: Condition, target: FilterTarget): Bool {
  const sources = sourcesOf(condition.field, target)
  if (condition.operator === 'exists') {
    const found = anyOf(sources.map((source) => present(source, target)))
    return condition.value ? found : notTrue(found)
  }
  if (condition.operator !== 'in') return atFirstPlace(sources, condition, target, false)
  const positive = atFirstPlace(sources, condition, target, condition.value.includes(null))
  return condition.negated ? notTrue(positive) : positive
}

/** The values at the first place that has any must pass; if no place has, `whenMissing` decides. */
function atFirstPlace(
  sources: readonly FieldSource[],
  test: Test,
  target: FilterTarget,
  whenMissing: boolean,
): Bool {
  const parts: Bool[] = []
  const absent: Bool[] = []
  for (const source of sources) {
    const alternatives = matches(source, test, target)
    // SQLite looks for an index in each member of the outermost "or", not deeper.
    const flat = isIndexed(source, target) ? alternatives : [anyOf(alternatives)]
    for (const passes of flat) parts.push(allOf([passes, ...absent]))
    absent.push(notTrue(present(source, target)))
  }
  if (whenMissing) parts.push(allOf(absent))
  return anyOf(parts)
}

/** Whether a place of a field holds anything. */
export function present(source: FieldSource, { dialect }: FilterTarget): Bool {
  if (source.kind === 'json') return DIALECTS[dialect].json.present(source)
  return sql<SqlBool>`${refer(source.column)} is not null`
}

function matches(source: FieldSource, test: Test, target: FilterTarget): Bool[] {
  const { scalar, json } = DIALECTS[target.dialect]
  if (source.kind === 'column') return [columnTest(scalar, source, test)]
  return json.matches(source, test, isIndexed(source, target))
}

const isIndexed = (source: FieldSource, { indexed_fields }: FilterTarget) =>
  source.kind === 'json' && (indexed_fields?.has(source.path.join('.')) ?? false)
