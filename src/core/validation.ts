import type { Violation } from './errors.ts'
import { isObject } from './json.ts'
import { parseInstant } from './time.ts'

/**
 * Checks and coerces data by a JSON Schema of the subset that our TypeBox schemas use, and reports
 * every violation (up to a bound) in the words of Pydantic 2, which clients of the contract match on. Scalars are
 * lax as there: "10" and 10.0 are integers, "true" and 1 booleans, enums ignore case, but a number
 * is not a string. Members that a schema does not name are dropped unless extras are data.
 */
export type Validate = (value: unknown, loc: Loc, violations: Violation[]) => unknown

type Loc = readonly (string | number)[]
type Node = Record<string, unknown>

const compiled = new WeakMap<object, Validate>()

/** The checker of a schema, compiled when it is first used: start-up pays for no schema. */
export function validator(schema: object): Validate {
  let check = compiled.get(schema)
  if (!check) {
    check = compile(schema as Node, schema as Node)
    compiled.set(schema, check)
  }
  return check
}

function compile(schema: Node, root: Node): Validate {
  // A recursive schema carries its definitions beside its reference, so they come first.
  if (isObject(schema.$defs))
    return compile({ ...schema, $defs: undefined }, { ...root, $defs: schema.$defs })
  if (typeof schema.$ref === 'string') return reference(schema.$ref, root)
  if (Array.isArray(schema.anyOf)) return union(schema.anyOf as Node[], root)
  if ('const' in schema) return literal(schema.const)
  if (Array.isArray(schema.enum)) return enumeration(schema.enum)
  switch (schema.type) {
    case 'string':
      return string(schema)
    case 'integer':
      return integer(schema)
    case 'number':
      return number(schema)
    case 'boolean':
      return boolean
    case 'null':
      return nothing
    case 'array':
      return array(schema, root)
    case 'object':
      return isObject(schema.properties) ? object(schema, root) : record(schema, root)
    default:
      return (value) => value
  }
}

/** Recursive schemas: the target is compiled when first met, which ends the recursion. */
function reference(ref: string, root: Node): Validate {
  const name = ref.slice(ref.lastIndexOf('/') + 1)
  const target = isObject(root.$defs) ? root.$defs[name] : undefined
  if (!isObject(target)) throw new Error(`The schema reference ${ref} leads nowhere.`)
  let check: Validate | undefined
  return (value, loc, violations) => {
    check ??= compile(target, root)
    return check(value, loc, violations)
  }
}

function fail(violations: Violation[], loc: Loc, type: string, msg: string): undefined {
  add(violations, { loc: [...loc], msg, type })
  return undefined
}

/** A body of some megabytes can break a rule a million times; the answer must not be larger than the question. */
const VIOLATIONS_MAX = 1000

function add(violations: Violation[], violation: Violation): void {
  if (violations.length < VIOLATIONS_MAX) violations.push(violation)
}

function string(schema: Node): Validate {
  const minimum = schema.minLength as number | undefined
  const maximum = schema.maxLength as number | undefined
  const pattern = typeof schema.pattern === 'string' ? new RegExp(schema.pattern, 'u') : null
  const instant = schema.format === 'date-time'
  return (value, loc, violations) => {
    if (typeof value !== 'string')
      return fail(violations, loc, 'string_type', 'Input should be a valid string')
    if (minimum !== undefined && isShorter(value, minimum))
      return fail(
        violations,
        loc,
        'string_too_short',
        `String should have at least ${minimum} character${plural(minimum)}`,
      )
    if (maximum !== undefined && isLonger(value, maximum))
      return fail(
        violations,
        loc,
        'string_too_long',
        `String should have at most ${maximum} character${plural(maximum)}`,
      )
    if (pattern && !pattern.test(value))
      return fail(
        violations,
        loc,
        'string_pattern_mismatch',
        `String should match pattern '${schema.pattern}'`,
      )
    if (instant && parseInstant(value) === null)
      return fail(violations, loc, 'datetime_parsing', 'Input should be a valid datetime')
    return value
  }
}

/** JSON Schema counts code points. A string has at least half as many of them as UTF-16 units. */
const isShorter = (text: string, minimum: number) =>
  text.length < minimum || (text.length < 2 * minimum && [...text].length < minimum)
const isLonger = (text: string, maximum: number) =>
  text.length > maximum && (text.length > 2 * maximum || [...text].length > maximum)

const plural = (count: number) => (count === 1 ? '' : 's')

function integer(schema: Node): Validate {
  const bounded = bounds(schema)
  return (value, loc, violations) => {
    let result = value
    if (typeof value === 'string') {
      result = /^\s*[+-]?\d+(?:\.0+)?\s*$/.test(value) ? Number(value) : Number.NaN
      if (!Number.isSafeInteger(result))
        return fail(
          violations,
          loc,
          'int_parsing',
          'Input should be a valid integer, unable to parse string as an integer',
        )
    }
    if (typeof result !== 'number')
      return fail(violations, loc, 'int_type', 'Input should be a valid integer')
    if (!Number.isInteger(result))
      return fail(
        violations,
        loc,
        'int_from_float',
        'Input should be a valid integer, got a number with a fractional part',
      )
    if (!Number.isSafeInteger(result))
      return fail(violations, loc, 'int_parsing_size', 'Integer is out of range')
    return bounded(result, loc, violations)
  }
}

function number(schema: Node): Validate {
  const bounded = bounds(schema)
  return (value, loc, violations) => {
    let result = value
    if (typeof value === 'string') {
      result = value.trim() === '' ? Number.NaN : Number(value)
      if (!Number.isFinite(result))
        return fail(
          violations,
          loc,
          'float_parsing',
          'Input should be a valid number, unable to parse string as a number',
        )
    }
    if (typeof result !== 'number' || !Number.isFinite(result))
      return fail(violations, loc, 'float_type', 'Input should be a valid number')
    return bounded(result, loc, violations)
  }
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Node) {
  return (value: number, loc: Loc, violations: Violation[]) => {
    if (typeof minimum === 'number' && value < minimum)
      return fail(
        violations,
        loc,
        'greater_than_equal',
        `Input should be greater than or equal to ${minimum}`,
      )
    if (typeof maximum === 'number' && value > maximum)
      return fail(violations, loc, 'less_than_equal', `Input should be less than or equal to ${maximum}`)
    if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum)
      return fail(violations, loc, 'greater_than', `Input should be greater than ${exclusiveMinimum}`)
    if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum)
      return fail(violations, loc, 'less_than', `Input should be less than ${exclusiveMaximum}`)
    return value
  }
}

const TRUE = new Set<unknown>([true, 1, '1', 'true', 't', 'yes', 'y', 'on'])
const FALSE = new Set<unknown>([false, 0, '0', 'false', 'f', 'no', 'n', 'off'])

const boolean: Validate = (value, loc, violations) => {
  const key = typeof value === 'string' ? value.toLowerCase() : value
  if (TRUE.has(key)) return true
  if (FALSE.has(key)) return false
  return typeof value === 'string' || typeof value === 'number'
    ? fail(violations, loc, 'bool_parsing', 'Input should be a valid boolean, unable to interpret input')
    : fail(violations, loc, 'bool_type', 'Input should be a valid boolean')
}

const nothing: Validate = (value, loc, violations) =>
  value === null ? null : fail(violations, loc, 'none_required', 'Input should be None')

function literal(expected: unknown): Validate {
  return (value, loc, violations) =>
    value === expected ? value : fail(violations, loc, 'literal_error', `Input should be ${quote(expected)}`)
}

function enumeration(values: unknown[]): Validate {
  const byFolded = new Map(
    values.map((value) => [typeof value === 'string' ? value.toLowerCase() : value, value]),
  )
  const quoted = values.map(quote)
  const list = quoted.length > 1 ? `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}` : quoted.join('')
  return (value, loc, violations) => {
    const key = typeof value === 'string' ? value.toLowerCase() : value
    return byFolded.has(key) ? byFolded.get(key) : fail(violations, loc, 'enum', `Input should be ${list}`)
  }
}

const quote = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value))

function array(schema: Node, root: Node): Validate {
  const check = isObject(schema.items) ? compile(schema.items, root) : (value: unknown) => value
  const minimum = schema.minItems as number | undefined
  const maximum = schema.maxItems as number | undefined
  return (value, loc, violations) => {
    if (!Array.isArray(value)) return fail(violations, loc, 'list_type', 'Input should be a valid list')
    const found = value.length
    if (minimum !== undefined && found < minimum)
      return fail(
        violations,
        loc,
        'too_short',
        `List should have at least ${minimum} item${plural(minimum)} after validation, not ${found}`,
      )
    if (maximum !== undefined && found > maximum)
      return fail(
        violations,
        loc,
        'too_long',
        `List should have at most ${maximum} item${plural(maximum)} after validation, not ${found}`,
      )
    return value.map((item, i) => check(item, [...loc, i], violations))
  }
}

function record(schema: Node, root: Node): Validate {
  const pattern = isObject(schema.patternProperties)
    ? Object.values(schema.patternProperties)[0]
    : schema.additionalProperties
  const check = isObject(pattern) && Object.keys(pattern).length > 0 ? compile(pattern, root) : null
  return (value, loc, violations) => {
    if (!isObject(value)) return fail(violations, loc, 'dict_type', 'Input should be a valid dictionary')
    if (!check) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, check(member, [...loc, key], violations)]),
    )
  }
}

function object(schema: Node, root: Node): Validate {
  const required = new Set(Array.isArray(schema.required) ? schema.required : [])
  const members = Object.entries(schema.properties as Record<string, Node>).map(([key, member]) => ({
    key,
    check: compile(member, root),
    fallback: member.default,
    required: required.has(key) && member.default === undefined,
    nullable: acceptsNull(member),
  }))
  const known = new Set(members.map((member) => member.key))
  const keepExtras = schema.additionalProperties === true || isObject(schema.additionalProperties)
  return (value, loc, violations) => {
    if (!isObject(value)) return fail(violations, loc, 'dict_type', 'Input should be a valid dictionary')
    const result: Record<string, unknown> = {}
    if (keepExtras) for (const key in value) if (!known.has(key)) result[key] = value[key]
    for (const member of members) {
      const given = Object.hasOwn(value, member.key) ? value[member.key] : undefined
      // Clients treat absent and null alike: null where a default exists means "the default".
      if (given === undefined || (given === null && !member.nullable && member.fallback !== undefined)) {
        if (member.fallback !== undefined) result[member.key] = copyOf(member.fallback)
        else if (member.required) fail(violations, [...loc, member.key], 'missing', 'Field required')
      } else if (given === null && !member.nullable && !member.required) {
        // An optional member that is null is an absent one.
      } else {
        result[member.key] = member.check(given, [...loc, member.key], violations)
      }
    }
    return result
  }
}

/** Scalars need no copy, and cloning is slow. */
const copyOf = (value: unknown) => (typeof value === 'object' ? structuredClone(value) : value)

function acceptsNull(schema: Node): boolean {
  if (schema.type === 'null' || schema.const === null) return true
  if (Array.isArray(schema.anyOf)) return (schema.anyOf as Node[]).some(acceptsNull)
  return (
    schema.type === undefined &&
    schema.enum === undefined &&
    schema.$ref === undefined &&
    schema.const === undefined
  )
}

function union(branches: Node[], root: Node): Validate {
  const withoutNull = branches.filter((branch) => branch.type !== 'null')
  const nullable = withoutNull.length !== branches.length
  const checks = withoutNull.map((branch) => compile(branch, root))
  const exact = withoutNull.map(exactType)
  return (value, loc, violations) => {
    if (value === null && nullable) return null
    if (checks.length === 1) return checks[0]!(value, loc, violations)
    // As Pydantic's smart mode: a branch of the value's own type wins over one that would coerce it.
    const order = [...checks.keys()].sort((a, b) => Number(exact[b]!(value)) - Number(exact[a]!(value)))
    let first: Violation[] | undefined
    for (const i of order) {
      const found: Violation[] = []
      const result = checks[i]!(value, loc, found)
      if (found.length === 0) return result
      first ??= found
    }
    for (const violation of first ?? []) add(violations, violation)
    return undefined
  }
}

function exactType(schema: Node): (value: unknown) => boolean {
  switch (schema.type) {
    case 'string':
      return (value) => typeof value === 'string'
    case 'integer':
      return Number.isInteger
    case 'number':
      return (value) => typeof value === 'number'
    case 'boolean':
      return (value) => typeof value === 'boolean'
    case 'array':
      return Array.isArray
    case 'object':
      return isObject
    default:
      return () => false
  }
}
