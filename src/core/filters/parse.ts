import { isObject } from '../json.ts'
import type { FilterNode, Group } from './ast.ts'
import type { FilterOptions } from './options.ts'
import { parseCondition, takeFlags } from './parse-condition.ts'
import { at, type Context, deeper, malformed } from './parse-context.ts'
import { isQdrantCondition, qdrantTests } from './parse-qdrant.ts'

/**
 * Reads a filter in any spelling of the contract: groups and conditions, shorthand, Mongo and
 * Qdrant style. Returns null for a filter that restricts nothing. Templates have been rendered before.
 *
 * Throws `filter_operator_unknown` or `invalid_filter`, 422 for a wrong shape, `invalid_regex`,
 * `filter_too_complex`.
 */
export function parseFilter(input: unknown, options: FilterOptions): FilterNode | null {
  if (input === null || input === undefined) return null
  const context: Context = {
    options,
    seen: { conditions: 0 },
    depth: 0,
    case_sensitive: options.case_sensitive,
    loc: options.loc ?? ['body', 'filters'],
  }
  if (!isObject(input) && (!Array.isArray(input) || options.object_only))
    throw malformed(context, 'Input should be a valid dictionary', 'dict_type')
  return parseNode(input, context)
}

function parseNode(input: unknown, context: Context): FilterNode | null {
  if (Array.isArray(input)) return group('and', parseList(input, deeper(context)))
  if (!isObject(input)) throw malformed(context, 'Input should be a valid dictionary', 'dict_type')
  const { case_sensitive = context.case_sensitive, members } = takeFlags(input)
  return parseMembers(members, { ...context, case_sensitive })
}

/** The members of one object hold together. */
function parseMembers(members: Record<string, unknown>, context: Context): FilterNode | null {
  if (isQdrantCondition(members)) return parseQdrantCondition(members, context)
  const parts: (FilterNode | null)[] = []
  const isCondition = isCanonicalCondition(members)
  if (isCondition) {
    const { field } = members
    if (field === undefined) throw malformed(context, 'Field required', 'missing', 'field')
    if (typeof field !== 'string')
      throw malformed(context, 'Input should be a valid string', 'string_type', 'field')
    parts.push(parseCondition(field, members.operator ?? 'eq', members, context))
  }
  const list = conditionsList(members)
  if (list) parts.push(parseGroup(list.kind, members.conditions, at(context, 'conditions')))

  for (const [key, value] of Object.entries(members)) {
    const kind = groupKind(key, value)
    if (kind) parts.push(parseGroup(kind, value, at(context, key)))
    else if (!isCondition && !(list && LIST_MEMBERS.has(key)))
      parts.push(parseShorthand(key, value, at(context, key)))
  }
  return group('and', parts)
}

/** With only one of the three members it is shorthand for a field of that name. */
const isCanonicalCondition = (members: Record<string, unknown>) =>
  ['field', 'operator', 'value'].filter((name) => Object.hasOwn(members, name)).length >= 2

const GROUPS: Readonly<Record<string, Group['kind']>> = {
  and: 'and',
  or: 'or',
  not: 'not',
  $and: 'and',
  $or: 'or',
  $not: 'not',
  $nor: 'not',
  must: 'and',
  should: 'or',
  must_not: 'not',
}

/** A lower-case group word with a plain value is a field of that name. */
function groupKind(key: string, value: unknown): Group['kind'] | null {
  if (key === 'AND' || key === 'OR' || key === 'NOT') return GROUPS[key.toLowerCase()]!
  if (!Object.hasOwn(GROUPS, key)) return null
  return value === null || typeof value === 'object' ? GROUPS[key]! : null
}

const LIST_MEMBERS: ReadonlySet<string> = new Set(['operator', 'conditions'])

/** `{operator: "and", conditions: […]}`. */
function conditionsList({
  operator = 'and',
  conditions,
}: Record<string, unknown>): Pick<Group, 'kind'> | null {
  if (typeof conditions !== 'object' || conditions === null || typeof operator !== 'string') return null
  const word = operator.toLowerCase()
  return word === 'and' || word === 'or' || word === 'not' ? { kind: word } : null
}

function parseGroup(kind: Group['kind'], value: unknown, context: Context): FilterNode | null {
  if (value === null) return null
  const inner = deeper(context)
  if (Array.isArray(value)) return group(kind, parseList(value, inner))
  if (isObject(value)) return group(kind, [parseNode(value, inner)])
  throw malformed(context, 'Input should be a valid list', 'list_type')
}

function parseList(values: readonly unknown[], context: Context): (FilterNode | null)[] {
  return values.map((value, i) => parseNode(value, at(context, i)))
}

/** `{field: value}`: a list means `in`, an object holds operators, anything else means `eq`. */
function parseShorthand(field: string, value: unknown, context: Context): FilterNode | null {
  if (Array.isArray(value)) return parseCondition(field, 'in', { value }, context)
  if (!isObject(value)) return parseCondition(field, 'eq', { value }, context)

  const { case_sensitive = context.case_sensitive, members } = takeFlags(value)
  const inner = { ...context, case_sensitive }
  if (typeof members.operator === 'string') return parseCondition(field, members.operator, members, inner)
  const tests = Object.entries(members)
  if (tests.length === 0) throw malformed(context, 'An operator is missing, as in {"gte": 5}')
  return group(
    'and',
    tests.map(([operator, operand]) =>
      parseCondition(field, operator, { value: operand }, at(inner, operator)),
    ),
  )
}

function parseQdrantCondition(members: Record<string, unknown>, context: Context): FilterNode | null {
  const tests = qdrantTests(members, context)
  return group(
    'and',
    tests.map(({ operator, value }) => parseCondition(members.key as string, operator, { value }, context)),
  )
}

/** Drops what restricts nothing; a single child needs no `and` or `or` around it. */
function group(kind: Group['kind'], parts: readonly (FilterNode | null)[]): FilterNode | null {
  const children = parts.filter((part) => part !== null)
  if (children.length === 0) return null
  if (children.length === 1 && kind !== 'not') return children[0]!
  return { kind, children }
}
