import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import type { Violation } from './errors.ts'
import { Defaulted, Nullable } from './schema.ts'
import { validator } from './validation.ts'

const schema = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 5 }),
  limit: Defaulted(Type.Integer({ minimum: 1, maximum: 1000 }), 10),
  ratio: Type.Optional(Nullable(Type.Number())),
  flag: Type.Optional(Type.Boolean()),
  kind: Type.Optional(Type.Enum(['ACTIVE', 'SUSPENDED', 'ARCHIVED'])),
  tags: Type.Optional(Type.Array(Type.String(), { maxItems: 2 })),
  extra: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})

const check = (value: unknown) => {
  const violations: Violation[] = []
  const result = validator(schema)(value, ['body'], violations)
  return { result, violations }
}

test('lax scalars are coerced, defaults filled, unknown members dropped', () => {
  const { result, violations } = check({
    name: 'a',
    limit: '20',
    ratio: '1.5',
    flag: 1,
    kind: 'suspended',
    other: 1,
  })
  assert.deepEqual(violations, [])
  assert.deepEqual(result, { name: 'a', limit: 20, ratio: 1.5, flag: true, kind: 'SUSPENDED' })
  assert.deepEqual(check({ name: 'a', limit: null, ratio: null }).result, {
    name: 'a',
    limit: 10,
    ratio: null,
  })
})

test('every violation is listed, in the words that clients match', () => {
  const { violations } = check({
    name: 5,
    limit: 0,
    flag: 'maybe',
    kind: 'x',
    tags: ['a', 'b', 'c'],
    extra: [],
  })
  assert.deepEqual(violations, [
    { loc: ['body', 'name'], msg: 'Input should be a valid string', type: 'string_type' },
    { loc: ['body', 'limit'], msg: 'Input should be greater than or equal to 1', type: 'greater_than_equal' },
    {
      loc: ['body', 'flag'],
      msg: 'Input should be a valid boolean, unable to interpret input',
      type: 'bool_parsing',
    },
    { loc: ['body', 'kind'], msg: "Input should be 'ACTIVE', 'SUSPENDED' or 'ARCHIVED'", type: 'enum' },
    {
      loc: ['body', 'tags'],
      msg: 'List should have at most 2 items after validation, not 3',
      type: 'too_long',
    },
    { loc: ['body', 'extra'], msg: 'Input should be a valid dictionary', type: 'dict_type' },
  ])
  assert.deepEqual(check({}).violations, [{ loc: ['body', 'name'], msg: 'Field required', type: 'missing' }])
  assert.deepEqual(check([]).violations[0]?.type, 'dict_type')
})

test('the length of a string is its number of code points', () => {
  assert.deepEqual(check({ name: '😀'.repeat(5) }).violations, [])
  assert.equal(check({ name: '😀'.repeat(6) }).violations[0]?.type, 'string_too_long')
  const two = Type.String({ minLength: 2 })
  const violations: Violation[] = []
  validator(two)('😀', [], violations)
  assert.equal(violations[0]?.type, 'string_too_short')
})

test('numbers beyond what JavaScript keeps exactly are refused, not rounded', () => {
  assert.equal(check({ name: 'a', limit: 1e300 }).violations.length, 1)
  assert.equal(check({ name: 'a', limit: '9007199254740993' }).violations[0]?.type, 'int_parsing')
  assert.equal(check({ name: 'a', limit: 1.5 }).violations[0]?.type, 'int_from_float')
})

test('a million broken rules are reported by a bounded number', () => {
  const violations: Violation[] = []
  const either = Type.Union([Type.Array(Type.String()), Type.Record(Type.String(), Type.String())])
  validator(either)(new Array(1_000_000).fill(0), [], violations)
  assert.equal(violations.length, 1000)
})
