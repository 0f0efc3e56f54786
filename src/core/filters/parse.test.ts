import assert from 'node:assert/strict'
import test from 'node:test'
import { KuraError, ValidationError } from '../errors.ts'
import type { FilterNode } from './ast.ts'
import type { FilterOptions } from './options.ts'
import { parseFilter } from './parse.ts'

const parse = (input: unknown, options: Partial<FilterOptions> = {}) =>
  parseFilter(input, { profile: 'retrieval', ...options })

const eq = (field: string, value: unknown): FilterNode => ({
  kind: 'condition',
  field,
  operator: 'in',
  value: [value],
  fold: false,
  negated: false,
})
const gte = (field: string, value: number): FilterNode => ({
  kind: 'condition',
  field,
  operator: 'gte',
  value,
  fold: false,
})
const and = (...children: FilterNode[]): FilterNode => ({ kind: 'and', children })
const or = (...children: FilterNode[]): FilterNode => ({ kind: 'or', children })
const not = (...children: FilterNode[]): FilterNode => ({ kind: 'not', children })

const code = (input: unknown, options: Partial<FilterOptions> = {}) => {
  try {
    parse(input, options)
  } catch (error) {
    assert.ok(error instanceof KuraError)
    return error.code
  }
  return null
}

test('a condition is a whole filter, and its operator defaults to eq', () => {
  assert.deepEqual(parse({ field: 'a', value: 1 }), eq('a', 1))
  assert.deepEqual(parse({ field: 'a', operator: 'gte', value: 1 }), gte('a', 1))
  assert.deepEqual(parse({ field: 'a', operator: null, value: null }), eq('a', null))
})

test('a list is an AND', () => {
  assert.deepEqual(parse([{ field: 'a', value: 1 }, { b: 2 }]), and(eq('a', 1), eq('b', 2)))
})

test('several keys of a group are ANDed, and one object stands for a list', () => {
  assert.deepEqual(
    parse({ AND: { a: 1 }, OR: [{ b: 2 }, { c: 3 }], NOT: [{ d: 4 }] }),
    and(eq('a', 1), or(eq('b', 2), eq('c', 3)), not(eq('d', 4))),
  )
})

test('groups mix with shorthand members', () => {
  assert.deepEqual(parse({ OR: [{ a: 1 }, { b: 2 }], c: 3 }), and(or(eq('a', 1), eq('b', 2)), eq('c', 3)))
})

test('shorthand: value is eq, list is in, operators with and without dollar', () => {
  assert.deepEqual(parse({ a: 'x' }), eq('a', 'x'))
  assert.deepEqual(parse({ a: [1, 2] }), { ...eq('a', 1), value: [1, 2] })
  assert.deepEqual(parse({ a: { gte: 5 } }), gte('a', 5))
  assert.deepEqual(
    parse({ a: { $gte: 5, ne: 7 } }),
    and(gte('a', 5), { ...eq('a', 7), negated: true } as FilterNode),
  )
  assert.deepEqual(parse({ a: { operator: 'gte', value: 5 } }), gte('a', 5))
})

test('lower-case and Mongo groups work', () => {
  assert.deepEqual(parse({ and: [{ a: 1 }, { b: 2 }] }), and(eq('a', 1), eq('b', 2)))
  assert.deepEqual(
    parse({ $or: [{ a: 1 }, { b: 2 }], $nor: [{ c: 1 }] }),
    and(or(eq('a', 1), eq('b', 2)), not(eq('c', 1))),
  )
  assert.deepEqual(parse({ operator: 'OR', conditions: [{ a: 1 }, { b: 2 }] }), or(eq('a', 1), eq('b', 2)))
  assert.deepEqual(parse({ operator: 'not', conditions: { a: 1 } }), not(eq('a', 1)))
})

test('a lower-case group word with a plain value is a field', () => {
  assert.deepEqual(parse({ not: 'x' }), eq('not', 'x'))
  assert.deepEqual(parse({ field: 'x' }), eq('field', 'x'))
  assert.deepEqual(parse({ operator: 'x' }), eq('operator', 'x'))
})

test('Qdrant style', () => {
  assert.deepEqual(
    parse({
      must: [
        { key: 'a', match: { value: 'x' } },
        { key: 'b', range: { gte: 5, lt: null } },
      ],
      should: [
        { key: 'c', match: { any: [1, 2] } },
        { key: 'd', value: 4 },
      ],
      must_not: { key: 'e', match: { text: 'w' } },
    }),
    and(
      and(eq('a', 'x'), gte('b', 5)),
      or({ ...eq('c', 1), value: [1, 2] } as FilterNode, eq('d', 4)),
      not({ kind: 'condition', field: 'e', operator: 'text', value: 'w' }),
    ),
  )
})

test('optional is accepted and changes nothing', () => {
  assert.deepEqual(parse({ field: 'a', value: 1, optional: true }), eq('a', 1))
  assert.deepEqual(parse({ AND: [{ a: 1 }], optional: true }), eq('a', 1))
})

test('empty groups restrict nothing', () => {
  for (const empty of [
    null,
    undefined,
    {},
    [],
    { AND: [] },
    { OR: null, NOT: [] },
    { AND: [{ OR: [{}] }] },
    { case_sensitive: true },
  ])
    assert.equal(parse(empty), null)
  assert.deepEqual(parse({ OR: [{}, { a: 1 }] }), eq('a', 1))
})

const folds = (input: unknown, options: Partial<FilterOptions> = {}) => {
  const node = parse(input, options)
  assert.ok(node?.kind === 'condition' && 'fold' in node)
  return node.fold
}

test('management lists fold case in every operator', () => {
  const options = { profile: 'management' } as const
  for (const operator of ['eq', 'in', 'gt', 'contains', 'regex'])
    assert.equal(folds({ field: 'a', operator, value: 'x' }, options), true)
})

test('documents and retrieval fold case in patterns, not in equality and order', () => {
  for (const profile of ['document', 'retrieval'] as const) {
    for (const operator of ['contains', 'starts_with', 'ends_with', 'regex'])
      assert.equal(folds({ field: 'a', operator, value: 'x' }, { profile }), true)
    for (const operator of ['eq', 'ne', 'in', 'nin', 'gt'])
      assert.equal(folds({ field: 'a', operator, value: 'x' }, { profile }), false)
  }
})

test('the nearest case flag wins and governs all operators', () => {
  assert.equal(folds({ AND: [{ a: 'x' }], case_sensitive: false }), true)
  assert.equal(folds({ a: { contains: 'x' }, case_sensitive: true }), false)
  assert.equal(
    folds({ AND: [{ field: 'a', value: 'x', case_sensitive: true }], case_sensitive: false }),
    false,
  )
  assert.equal(folds({ a: { eq: 'x', case_insensitive: true } }), true)
  assert.equal(folds({ a: 'x' }, { profile: 'management', case_sensitive: true }), false)
  assert.equal(
    folds({ a: 'x', case_sensitive: false }, { profile: 'management', case_sensitive: true }),
    true,
  )
  assert.equal(folds({ a: 'x', case_sensitive: null }, { profile: 'management' }), true)
})

test('exists and is_null default to true and take booleans', () => {
  assert.deepEqual(parse({ field: 'a', operator: 'exists' }), {
    kind: 'condition',
    field: 'a',
    operator: 'exists',
    value: true,
  })
  assert.deepEqual(parse({ a: { is_null: false } }), { ...eq('a', null), negated: true })
  assert.equal(code({ a: { exists: 'maybe' } }), 'validation_error')
})

test('an unknown operator is 422 with its own code, or 400 for documents', () => {
  assert.equal(code({ field: 'a', operator: 'like', value: 1 }), 'filter_operator_unknown')
  assert.equal(code({ a: { $near: 1 } }), 'filter_operator_unknown')
  assert.equal(code({ a: { region: 'us' } }), 'filter_operator_unknown')
  assert.equal(code({ a: { like: 1 } }, { profile: 'document' }), 'invalid_filter')
  assert.equal(
    code({ a: { like: 1 } }, { profile: 'document', unknown_operator: 'filter_operator_unknown' }),
    'filter_operator_unknown',
  )
})

test('a filter of the wrong shape names the place', () => {
  assert.throws(
    () => parse('x', { loc: ['body', 'filters'] }),
    (error) => {
      assert.ok(error instanceof ValidationError)
      assert.deepEqual(error.violations, [
        { loc: ['body', 'filters'], msg: 'Input should be a valid dictionary', type: 'dict_type' },
      ])
      return true
    },
  )
  assert.throws(
    () => parse({ AND: [{ a: 1 }, { b: { gte: [] } }] }),
    (error) => {
      assert.ok(error instanceof ValidationError)
      assert.deepEqual(error.violations[0]?.loc, ['body', 'filters', 'AND', 1, 'b', 'gte', 'value'])
      return true
    },
  )
  assert.equal(code([{ a: 1 }], { object_only: true }), 'validation_error')
  for (const input of [
    { AND: 'x' },
    { OR: [1] },
    { a: {} },
    { field: 5, value: 1 },
    { operator: 'eq', value: 1 },
    { field: 'a', operator: 'gt' },
    { a: { starts_with: [] } },
    { key: 'a', match: {} },
    { key: 'a', match: 'x' },
    { a: { geo_radius: { center: { lat: 91, lon: 0 }, radius: 1 } } },
  ]) {
    assert.equal(code(input), 'validation_error', JSON.stringify(input))
    assert.equal(code(input, { profile: 'document' }), 'invalid_filter')
  }
})

test('bad regular expressions are refused, also those RE2 lacks', () => {
  for (const pattern of ['(', '(?=x)', '(a)\\1', 'a'.repeat(513)])
    assert.equal(code({ a: { regex: pattern } }), 'invalid_regex')
  assert.equal(code({ a: { regex: 'a'.repeat(512) } }), null)
})

const nested = (depth: number): unknown => (depth === 0 ? { a: 1 } : { AND: [nested(depth - 1), { b: 1 }] })

test('depth, conditions and list lengths are bounded', () => {
  assert.equal(code(nested(10)), null)
  assert.equal(code(nested(11)), 'filter_too_complex')
  assert.equal(code({ OR: Array.from({ length: 200 }, () => ({ a: 1 })) }), null)
  assert.equal(code({ OR: Array.from({ length: 201 }, () => ({ a: 1 })) }), 'filter_too_complex')
  assert.equal(code({ a: Array.from({ length: 10_000 }, (_, i) => i) }), null)
  assert.equal(code({ a: Array.from({ length: 10_001 }, (_, i) => i) }), 'filter_too_complex')
})

test('each value of contains counts as a condition', () => {
  assert.equal(code({ a: { contains: Array.from({ length: 200 }, () => 'x') } }), null)
  assert.equal(code({ a: { contains: Array.from({ length: 201 }, () => 'x') } }), 'filter_too_complex')
})

test('dynamic values outside retrievers are refused', () => {
  assert.equal(code({ field: 'a', value: { type: 'dynamic', field: 'inputs.x' } }), 'invalid_filter')
})
