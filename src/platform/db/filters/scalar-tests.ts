import { type Expression, sql } from 'kysely'
import type { OrderOperator, Test } from '../../../core/filters/ast.ts'
import { substringOf } from '../../../core/filters/evaluate.ts'
import { foldCase } from '../../../core/filters/fold.ts'
import { instantOf, numberOf } from '../../../core/filters/scalars.ts'
import { ValueSet } from '../../../core/filters/value-set.ts'
import { allOf, anyOf, type Bool, FALSE } from './sql.ts'

type Text = Expression<unknown>

/** What the databases spell differently in tests of a single text or number. */
export type ScalarSql = {
  /** `foldCase` of a text. */
  fold(text: Text): Text
  /** `instantOf` and `numberOf` of a text, null when it is none. */
  instant(text: Text): Text
  number(text: Text): Expression<unknown>
  /** A text made to compare by code point. */
  byCodePoint(text: Text): Text
  /** Bound parameters. */
  textValue(value: string): Expression<unknown>
  numberValue(value: number): Expression<unknown>
  isOneOf(value: Expression<unknown>, wanted: readonly string[] | readonly number[]): Bool
  contains(text: Text, part: string): Bool
  startsWith(text: Text, prefix: string): Bool
  endsWith(text: Text, suffix: string): Bool
  regex(text: Text, pattern: string, fold: boolean): Bool
  words(text: Text, query: string): Bool
  /** Whether a stored text can hold this one at all (PostgreSQL cannot store NUL). */
  storable(text: string): boolean
}

const valueSets = new WeakMap<object, ValueSet>()

/** The set of an `in` test; several places of one field share it. */
export function valueSet(test: Extract<Test, { operator: 'in' }>): ValueSet {
  let set = valueSets.get(test)
  if (!set) {
    set = new ValueSet(test.value, test.fold)
    valueSets.set(test, set)
  }
  return set
}

const COMPARISONS: Record<OrderOperator, ReturnType<typeof sql>> = {
  gt: sql`>`,
  gte: sql`>=`,
  lt: sql`<`,
  lte: sql`<=`,
}

export const isOrder = (operator: Test['operator']): operator is OrderOperator =>
  Object.hasOwn(COMPARISONS, operator)

export const compared = (
  operator: OrderOperator,
  left: Expression<unknown>,
  right: Expression<unknown>,
): Bool => sql<boolean>`${left} ${COMPARISONS[operator]} ${right}`

/** Whether a text passes; `folded` is a column that keeps its folded form. Null text gives null. */
export function textTest(scalar: ScalarSql, text: Text, test: Test, folded?: Text): Bool {
  const inCase = (fold: boolean) => (fold ? (folded ?? scalar.fold(text)) : text)
  switch (test.operator) {
    case 'in': {
      const { equal, spelled } = textIn(scalar, text, inCase(test.fold), valueSet(test))
      return anyOf([...equal, ...spelled])
    }
    case 'contains': {
      const parts = test.value.map((value) => substringOf(value, test.fold))
      if (parts.some((part) => part === null || !scalar.storable(part))) return FALSE
      // Every text contains all of nothing, but a missing one does not.
      if (parts.length === 0) return sql<boolean>`${text} is not null`
      return allOf(parts.map((part) => scalar.contains(inCase(test.fold), part!)))
    }
    case 'starts_with':
    case 'ends_with': {
      const affix = test.fold ? foldCase(test.value) : test.value
      if (!scalar.storable(affix)) return FALSE
      return scalar[test.operator === 'starts_with' ? 'startsWith' : 'endsWith'](inCase(test.fold), affix)
    }
    case 'regex':
      return scalar.regex(text, test.value, test.fold)
    case 'text':
      return scalar.words(text, test.value)
    case 'exists':
    case 'geo_radius':
    case 'geo_bounding_box':
      return FALSE
    default:
      return textOrder(scalar, text, inCase(test.fold), test)
  }
}

/**
 * The alternatives of an `in` test of text. Only the first, equality of text, needs to be kept from
 * values that are no text; the others hold for the text of numbers and dates alone.
 */
export function textIn(
  scalar: ScalarSql,
  text: Text,
  inCase: Text,
  set: ValueSet,
): { equal: Bool[]; spelled: Bool[] } {
  const strings = [...set.strings].filter(scalar.storable)
  const instants = [...set.instants]
  const numbers = [...set.spelledNumbers]
  const spelled: Bool[] = []
  if (instants.length > 0)
    spelled.push(
      allOf([dayRange(scalar, text, instants, instants), scalar.isOneOf(scalar.instant(text), instants)]),
    )
  if (numbers.length > 0)
    spelled.push(allOf([numeralRange(scalar, text), scalar.isOneOf(scalar.number(text), numbers)]))
  return { equal: strings.length > 0 ? [scalar.isOneOf(inCase, strings)] : [], spelled }
}

type OrderTest = Extract<Test, { operator: OrderOperator }>

function textOrder(scalar: ScalarSql, text: Text, inCase: Text, { operator, value, fold }: OrderTest): Bool {
  if (typeof value === 'number')
    return allOf([
      numeralRange(scalar, text),
      compared(operator, scalar.number(text), scalar.numberValue(value)),
    ])
  if (typeof value !== 'string' || !scalar.storable(value)) return FALSE
  const instant = instantOf(value)
  if (instant === null)
    return compared(operator, scalar.byCodePoint(inCase), scalar.textValue(fold ? foldCase(value) : value))
  const upward = operator === 'gt' || operator === 'gte'
  return allOf([
    dayRange(scalar, text, upward ? [instant] : [], upward ? [] : [instant]),
    compared(operator, scalar.byCodePoint(scalar.instant(text)), scalar.textValue(instant)),
  ])
}

/** ASCII characters that enclose the first characters of every numeral and every date. */
const BEFORE_SIGNS = '+'
const BEFORE_DIGITS = '0'
const AFTER_DIGITS = ':'
const DAY_MS = 86_400_000

/** Text outside this range spells no number: spares the function call, and lets an index narrow the rows. */
const numeralRange = (scalar: ScalarSql, text: Text) => between(scalar, text, BEFORE_SIGNS, AFTER_DIGITS)

/**
 * Text outside this range names no instant between the earliest of `from` and the latest of `to`
 * (open when empty): an offset moves the written date by at most one day.
 */
function dayRange(scalar: ScalarSql, text: Text, from: readonly string[], to: readonly string[]): Bool {
  const earliest = from.toSorted()[0]
  const latest = to.toSorted().at(-1)
  return between(
    scalar,
    text,
    earliest === undefined ? BEFORE_DIGITS : shiftedDay(earliest, -1),
    latest === undefined ? AFTER_DIGITS : shiftedDay(latest, 2),
  )
}

function shiftedDay(instant: string, days: number): string {
  const day = new Date(Date.parse(`${instant.slice(0, 10)}T00:00:00Z`) + days * DAY_MS).toISOString()
  // Beyond the year 9999 the form changes; nothing stored is beyond it.
  return day.startsWith('+') ? AFTER_DIGITS : day.slice(0, 10)
}

function between(scalar: ScalarSql, text: Text, from: string, before: string): Bool {
  const key = scalar.byCodePoint(text)
  return sql<boolean>`(${key} >= ${scalar.textValue(from)} and ${key} < ${scalar.textValue(before)})`
}

/** Whether a number passes. */
export function numberTest(scalar: ScalarSql, number: Expression<unknown>, test: Test): Bool {
  if (test.operator === 'in') {
    const { numbers } = valueSet(test)
    return numbers.size > 0 ? scalar.isOneOf(number, [...numbers]) : FALSE
  }
  if (!isOrder(test.operator)) return FALSE
  const { value } = test as OrderTest
  const wanted = typeof value === 'string' && instantOf(value) === null ? numberOf(value) : value
  return typeof wanted === 'number' ? compared(test.operator, number, scalar.numberValue(wanted)) : FALSE
}

/** The numbers a test compares with, for a database that stores large ones in another form. */
export function wantedNumbers(test: Test): number[] {
  if (test.operator === 'in') return [...valueSet(test).numbers]
  if (!isOrder(test.operator)) return []
  const { value } = test as OrderTest
  const wanted = typeof value === 'string' ? numberOf(value) : value
  return typeof wanted === 'number' ? [wanted] : []
}
