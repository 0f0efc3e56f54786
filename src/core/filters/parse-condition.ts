import { KuraError, ValidationError } from '../errors.ts'
import { isObject } from '../json.ts'
import { type Condition, OPERATORS, type Operator, type Test } from './ast.ts'
import { type GeoPoint, geoPoint } from './geo.ts'
import { foldsCase } from './options.ts'
import {
  type Context,
  countCondition,
  FILTER_VALUES_MAX,
  malformed,
  refusesWith400,
  tooComplex,
} from './parse-context.ts'
import { regexTest } from './regex.ts'

const FIELD_LENGTH_MAX = 1000

/** Takes the flags out of a filter object. The rest are groups, a condition or fields. */
export function takeFlags(input: Record<string, unknown>): {
  case_sensitive?: boolean
  members: Record<string, unknown>
} {
  const { case_sensitive, case_insensitive, optional, ...members } = input
  if (!isFlag(case_sensitive)) members.case_sensitive = case_sensitive
  if (!isFlag(case_insensitive)) members.case_insensitive = case_insensitive
  // Accepted and without effect: a condition whose input is absent has been removed before.
  if (!isFlag(optional)) members.optional = optional
  if (typeof case_sensitive === 'boolean') return { case_sensitive, members }
  if (typeof case_insensitive === 'boolean') return { case_sensitive: !case_insensitive, members }
  return { members }
}

const isFlag = (value: unknown) => value === undefined || value === null || typeof value === 'boolean'

/** One condition; `holder.value` is its operand. */
export function parseCondition(
  field: string,
  operatorName: unknown,
  holder: Record<string, unknown>,
  context: Context,
): Condition {
  countCondition(context)
  if (field === '' || field.length > FIELD_LENGTH_MAX)
    throw malformed(context, `A field name has 1 to ${FIELD_LENGTH_MAX} characters`)
  const operator = operatorOf(operatorName, context)
  if (holder.value === undefined && operator !== 'exists' && operator !== 'is_null')
    throw malformed(context, 'Field required', 'missing', 'value')
  const fold = foldsCase(context.options.profile, context.case_sensitive, operator)
  return {
    kind: 'condition',
    field: field.toWellFormed(),
    ...parseTest(operator, wellFormed(holder.value), fold, context),
  }
}

const KNOWN: ReadonlySet<string> = new Set(OPERATORS)

function operatorOf(name: unknown, context: Context): Operator {
  const word = typeof name === 'string' ? name.toLowerCase().replace(/^\$/, '') : ''
  if (KNOWN.has(word)) return word as Operator
  const details = { operator: String(name), allowed: OPERATORS }
  if (refusesWith400(context.options))
    throw new KuraError('invalid_filter', {
      reason: `Unknown filter operator "${details.operator}" at ${context.loc.join('.')}. Use one of: ${OPERATORS.join(', ')}.`,
    })
  const msg = `Unknown operator '${details.operator}'`
  throw new ValidationError(
    [{ loc: [...context.loc], msg, type: 'enum' }],
    'filter_operator_unknown',
    details,
  )
}

function parseTest(operator: Operator, value: unknown, fold: boolean, context: Context): Test {
  switch (operator) {
    case 'eq':
    case 'ne':
      return { operator: 'in', value: [operand(value, context)], fold, negated: operator === 'ne' }
    case 'in':
    case 'nin':
      return { operator: 'in', value: list(value, context), fold, negated: operator === 'nin' }
    // "Null or missing" is what equality with null means.
    case 'is_null':
      return { operator: 'in', value: [null], fold: false, negated: !bool(value, context) }
    case 'exists':
      return { operator, value: bool(value, context) }
    case 'contains': {
      const values = list(value, context)
      // Each is a test of its own, unlike the values of `in`, which are looked up in a set.
      for (const _ of values.slice(1)) countCondition(context)
      return { operator, value: values, fold }
    }
    case 'starts_with':
    case 'ends_with':
      return { operator, value: text(value, context), fold }
    case 'regex': {
      const pattern = text(value, context)
      regexTest(pattern, fold)
      return { operator, value: pattern, fold }
    }
    case 'text':
      return { operator, value: text(value, context) }
    case 'geo_radius':
      return { operator, value: circle(value, context) }
    case 'geo_bounding_box':
      return { operator, value: box(value, context) }
    default:
      return { operator, value: scalar(value, context), fold }
  }
}

function operand(value: unknown, context: Context): unknown {
  if (isObject(value) && value.type === 'dynamic')
    throw new KuraError('invalid_filter', {
      reason: `A dynamic value works in retrievers only; it stands at ${context.loc.join('.')}.`,
    })
  return value
}

function list(value: unknown, context: Context): unknown[] {
  const values = Array.isArray(value) ? value : [operand(value, context)]
  if (values.length > FILTER_VALUES_MAX) throw tooComplex(`a list has more than ${FILTER_VALUES_MAX} values`)
  return values
}

function scalar(value: unknown, context: Context): string | number | boolean | null {
  if (typeof operand(value, context) === 'object' && value !== null)
    throw malformed(context, 'Input should be a number, a date or a string', 'value_error', 'value')
  return value as string | number | boolean | null
}

function text(value: unknown, context: Context): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  operand(value, context)
  throw malformed(context, 'Input should be a valid string', 'string_type', 'value')
}

const TRUE: readonly unknown[] = [true, undefined, null, 1, 'true', '1']
const FALSE: readonly unknown[] = [false, 0, 'false', '0']

/** The operand of `exists` and `is_null`, which may be left out to mean true. */
function bool(value: unknown, context: Context): boolean {
  const flag = typeof value === 'string' ? value.toLowerCase() : value
  if (TRUE.includes(flag)) return true
  if (FALSE.includes(flag)) return false
  operand(value, context)
  throw malformed(context, 'Input should be a valid boolean', 'bool_type', 'value')
}

function circle(value: unknown, context: Context): { center: GeoPoint; radius: number } {
  const center = isObject(value) ? geoPoint(value.center) : null
  const radius = isObject(value) ? value.radius : null
  if (!center || typeof radius !== 'number' || radius < 0)
    throw malformed(
      context,
      'Input should be {"center": {"lat", "lon"}, "radius": meters}',
      'value_error',
      'value',
    )
  return { center, radius }
}

function box(value: unknown, context: Context): { top_left: GeoPoint; bottom_right: GeoPoint } {
  const top_left = isObject(value) ? geoPoint(value.top_left) : null
  const bottom_right = isObject(value) ? geoPoint(value.bottom_right) : null
  if (!top_left || !bottom_right)
    throw malformed(
      context,
      'Input should be {"top_left": {"lat", "lon"}, "bottom_right": {"lat", "lon"}}',
      'value_error',
      'value',
    )
  return { top_left, bottom_right }
}

/** Lone surrogates cannot be stored in either database, so they must not make a query fail. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.toWellFormed(), wellFormed(member)]),
  )
}
