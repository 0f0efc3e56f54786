import type { Condition, FilterNode, OrderOperator, Test } from './ast.ts'
import { compareCodePoints, foldCase } from './fold.ts'
import { geoPoint, inBox, inCircle } from './geo.ts'
import { type FieldPaths, firstValues, type Path, plainField } from './path.ts'
import { regexTest } from './regex.ts'
import { instantOf, numberOf } from './scalars.ts'
import { ValueSet } from './value-set.ts'
import { hasWords, wordsOf } from './words.ts'

/** Whether the values found at a field pass; no values means the field is missing. */
export type ValuesTest = (values: readonly unknown[]) => boolean

/**
 * Whether a record passes a filter. This is the reference: SQL compiled from the same filter finds
 * the same records. `fieldPaths` says where a record holds a field, by default at its own path.
 */
export function evaluateFilter(
  node: FilterNode,
  record: unknown,
  fieldPaths: FieldPaths = plainField,
): boolean {
  switch (node.kind) {
    case 'and':
      return node.children.every((child) => evaluateFilter(child, record, fieldPaths))
    case 'or':
      return node.children.some((child) => evaluateFilter(child, record, fieldPaths))
    case 'not':
      return !node.children.some((child) => evaluateFilter(child, record, fieldPaths))
    case 'condition': {
      const { test, paths } = prepare(node, fieldPaths)
      return test(firstValues(record, paths))
    }
  }
}

type Prepared = { fieldPaths: FieldPaths; paths: readonly Path[]; test: ValuesTest }

const preparedConditions = new WeakMap<Condition, Prepared>()

/** A filter meets many records: paths, sets and patterns are prepared once a condition. */
function prepare(condition: Condition, fieldPaths: FieldPaths): Prepared {
  const known = preparedConditions.get(condition)
  if (known?.fieldPaths === fieldPaths) return known
  const prepared = {
    fieldPaths,
    paths: fieldPaths(condition.field),
    test: known?.test ?? buildTest(condition),
  }
  preparedConditions.set(condition, prepared)
  return prepared
}

/** Prepares a test, so that what depends on the condition alone is computed once. */
export function buildTest(test: Test): ValuesTest {
  switch (test.operator) {
    case 'in': {
      const isIn = membership(new ValueSet(test.value, test.fold))
      return test.negated ? (values) => !isIn(values) : isIn
    }
    case 'exists':
      return (values) => values.length > 0 === test.value
    case 'contains':
      return containment(test.value, test.fold)
    case 'regex':
      return anyString(regexTest(test.value, test.fold))
    case 'starts_with':
      return anyString(affixTest(test.value, test.fold, (text, affix) => text.startsWith(affix)))
    case 'ends_with':
      return anyString(affixTest(test.value, test.fold, (text, affix) => text.endsWith(affix)))
    case 'text':
      return anyWords(test.value)
    case 'geo_radius':
      return anyPoint((point) => inCircle(point, test.value))
    case 'geo_bounding_box':
      return anyPoint((point) => inBox(point, test.value))
    default:
      return anyElement(orderTest(test.operator, test.value, test.fold))
  }
}

/** The elements of an array are its values; everything else stands for itself. */
function anyElement(passes: (element: unknown) => boolean): ValuesTest {
  return (values) =>
    values.some((value) => (Array.isArray(value) ? value.some((element) => passes(element)) : passes(value)))
}

const anyString = (passes: (text: string) => boolean) =>
  anyElement((element) => typeof element === 'string' && passes(element))

function anyWords(query: string): ValuesTest {
  const wanted = wordsOf(query)
  return anyString((text) => hasWords(text, wanted))
}

const anyPoint = (passes: (point: { lat: number; lon: number }) => boolean) =>
  anyElement((element) => {
    const point = geoPoint(element)
    return point !== null && passes(point)
  })

/** A missing field equals null; an array equals by an element or, for a list that was asked for, as a whole. */
function membership(set: ValueSet): ValuesTest {
  const anyEqual = anyElement((element) => set.has(element))
  return (values) => {
    if (values.length === 0) return set.hasNull
    return anyEqual(values) || values.some((value) => Array.isArray(value) && set.has(value))
  }
}

function containment(wanted: readonly unknown[], fold: boolean): ValuesTest {
  const substrings = wanted.map((value) => substringOf(value, fold))
  const elements = wanted.map((value) => new ValueSet([value], fold))
  return (values) =>
    values.some((value) => {
      if (Array.isArray(value)) return elements.every((set) => value.some((element) => set.has(element)))
      if (typeof value !== 'string') return false
      const text = fold ? foldCase(value) : value
      return substrings.every((part) => part !== null && text.includes(part))
    })
}

/** The text to look for in a string; null if no string contains such a value. */
export function substringOf(value: unknown, fold: boolean): string | null {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return null
  return fold ? foldCase(value) : value
}

function affixTest(affix: string, fold: boolean, passes: (text: string, affix: string) => boolean) {
  if (!fold) return (text: string) => passes(text, affix)
  const folded = foldCase(affix)
  return (text: string) => passes(foldCase(text), folded)
}

const ORDER: Record<OrderOperator, (comparison: number) => boolean> = {
  gt: (comparison) => comparison > 0,
  gte: (comparison) => comparison >= 0,
  lt: (comparison) => comparison < 0,
  lte: (comparison) => comparison <= 0,
}

/**
 * The wanted value decides the kind: numbers meet numbers and text that spells one, instants meet
 * instants, other text meets text by code point. Everything else is false.
 */
function orderTest(
  operator: OrderOperator,
  wanted: string | number | boolean | null,
  fold: boolean,
): (element: unknown) => boolean {
  const passes = ORDER[operator]
  if (typeof wanted === 'number') {
    return (element) => {
      const number = typeof element === 'string' ? numberOf(element) : element
      return typeof number === 'number' && passes(number - wanted)
    }
  }
  if (typeof wanted !== 'string') return () => false

  const instant = instantOf(wanted)
  if (instant !== null) {
    return (element) => {
      const found = typeof element === 'string' ? instantOf(element) : null
      return found !== null && passes(compareCodePoints(found, instant))
    }
  }
  const text = fold ? foldCase(wanted) : wanted
  const number = numberOf(wanted)
  return (element) => {
    if (typeof element === 'string')
      return passes(compareCodePoints(fold ? foldCase(element) : element, text))
    return typeof element === 'number' && number !== null && passes(element - number)
  }
}
