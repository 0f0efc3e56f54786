import { type SqlBool, sql } from 'kysely'
import type { Test } from '../../../core/filters/ast.ts'
import { instantOf } from '../../../core/filters/scalars.ts'
import { compared, isOrder, numberTest, type ScalarSql, textTest, valueSet } from './scalar-tests.ts'
import { anyOf, type Bool, FALSE } from './sql.ts'
import { type ColumnSource, refer } from './target.ts'

/** Whether the value of a typed column passes a positive test; null gives null or false. */
export function columnTest(scalar: ScalarSql, source: ColumnSource, test: Test): Bool {
  const column = refer(source.column)
  switch (source.type) {
    case 'number':
      return numberTest(scalar, column, test)
    case 'boolean':
      return booleanTest(source, test)
    case 'instant':
      return instantTest(scalar, source, test)
    case 'text':
      return textTest(scalar, column, test, source.folded === undefined ? undefined : refer(source.folded))
  }
}

function booleanTest({ column }: ColumnSource, test: Test): Bool {
  if (test.operator !== 'in') return FALSE
  return anyOf(
    [...valueSet(test).booleans].map((value) => sql<SqlBool>`${refer(column)} = ${sql.lit(value ? 1 : 0)}`),
  )
}

/** Stored instants all have one form, so equality and order are those of the text, and an index serves. */
function instantTest(scalar: ScalarSql, { column }: ColumnSource, test: Test): Bool {
  const text = refer(column)
  if (test.operator === 'in') {
    const { instants, strings } = valueSet(test)
    const parts = instants.size > 0 ? [scalar.isOneOf(text, [...instants])] : []
    // Folded, `…t…z` equals a stored instant, though it names none.
    if (test.fold) parts.push(scalar.isOneOf(scalar.fold(text), [...strings].filter(scalar.storable)))
    return anyOf(parts)
  }
  if (!isOrder(test.operator)) return textTest(scalar, text, test)
  const instant = 'value' in test && typeof test.value === 'string' ? instantOf(test.value) : null
  return instant === null
    ? // Compared with a text that is no instant, an instant is a text like any other.
      textTest(scalar, text, test)
    : compared(test.operator, scalar.byCodePoint(text), scalar.textValue(instant))
}
