import assert from 'node:assert/strict'
import test from 'node:test'
import { ValidationError } from '../errors.ts'
import { compareSortValues, parseSort } from './sort.ts'
import { compareBy } from './sort-order.ts'

const key = (field: string, direction: 'asc' | 'desc') => ({ field, direction })

test('every spelling of a sort', () => {
  assert.deepEqual(parseSort({ field: 'a' }), [key('a', 'asc')])
  assert.deepEqual(parseSort({ field: 'a', direction: 'DESC' }), [key('a', 'desc')])
  assert.deepEqual(parseSort({ field: 'a', order: 'descending' }), [key('a', 'desc')])
  assert.deepEqual(parseSort({ field: 'a', direction: null, sort_order: -1 }), [key('a', 'desc')])
  assert.deepEqual(parseSort({ created_at: 'desc', name: 1 }), [
    key('created_at', 'desc'),
    key('name', 'asc'),
  ])
  assert.deepEqual(parseSort([{ field: 'a' }, { b: '-1' }]), [key('a', 'asc'), key('b', 'desc')])
  for (const nothing of [null, undefined, {}, []]) assert.deepEqual(parseSort(nothing), [])
})

test('bad shapes and directions are 422 at their place', () => {
  const loc = (input: unknown, options = {}) => {
    try {
      parseSort(input, options)
    } catch (error) {
      assert.ok(error instanceof ValidationError)
      return [...error.violations[0]!.loc, error.violations[0]!.type]
    }
    return null
  }
  assert.deepEqual(loc('a'), ['body', 'sort', 'dict_type'])
  assert.deepEqual(loc([], { object_only: true }), ['body', 'sort', 'dict_type'])
  assert.deepEqual(loc([1]), ['body', 'sort', 0, 'dict_type'])
  assert.deepEqual(loc({ field: 'a', direction: 'up' }), ['body', 'sort', 'direction', 'enum'])
  assert.deepEqual(loc({ created_at: 2 }), ['body', 'sort', 'created_at', 'enum'])
  assert.deepEqual(loc({ direction: 'asc' }), ['body', 'sort', 'field', 'missing'])
  assert.deepEqual(loc({ field: 3 }), ['body', 'sort', 'field', 'string_type'])
})

const sorted = (values: unknown[], direction: 'asc' | 'desc' = 'asc') =>
  values
    .map((v) => (v === undefined ? {} : { v }))
    .sort(compareBy([key('v', direction)]))
    .map(({ v }) => v)

test('strings compare folded, then by code point', () => {
  assert.deepEqual(sorted(['b', 'a', 'B', 'A']), ['A', 'a', 'B', 'b'])
  assert.deepEqual(sorted(['z', 'É', 'e', 'é']), ['e', 'z', 'É', 'é'])
})

test('numbers, instants and booleans have their own order', () => {
  assert.deepEqual(sorted([10, 9, -1, -10, 0.5, 1e21]), [-10, -1, 0.5, 9, 10, 1e21])
  assert.deepEqual(sorted(['2026-01-01T00:00:00+02:00', '2025-12-31T23:00:00Z']), [
    '2026-01-01T00:00:00+02:00',
    '2025-12-31T23:00:00Z',
  ])
  assert.deepEqual(sorted([true, false]), [false, true])
})

test('missing and null come last in either direction', () => {
  assert.deepEqual(sorted([null, 2, undefined, 1]).slice(0, 2), [1, 2])
  assert.deepEqual(sorted([null, 2, undefined, 1], 'desc').slice(0, 2), [2, 1])
})

test('an array sorts by its first element', () => {
  assert.deepEqual(sorted([[3, 0], 2, []]), [2, [3, 0], []])
})

test('later keys decide between equals', () => {
  const rows = [
    { a: 1, b: 1 },
    { a: 0, b: 0 },
    { a: 1, b: 2 },
  ]
  assert.deepEqual(rows.sort(compareBy([key('a', 'asc'), key('b', 'desc')])), [
    { a: 0, b: 0 },
    { a: 1, b: 2 },
    { a: 1, b: 1 },
  ])
})

test('the order of the sort_attribute stage counts case and compares mixed kinds as text', () => {
  assert.ok(compareSortValues('B', 'a') < 0)
  assert.ok(compareSortValues(9, 10) < 0)
  assert.ok(compareSortValues('2026-01-01T00:00:00Z', '2026-01-01T00:00:00+01:00') > 0)
  assert.ok(compareSortValues(false, true) < 0)
  assert.ok(compareSortValues(10, 'x') < 0)
})
