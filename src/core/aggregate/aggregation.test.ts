import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plainField } from '../filters/path.ts'
import { Aggregation } from './aggregation.ts'
import { GROUPS_MAX } from './budget.ts'
import { fieldsOf, planAggregation } from './plan.ts'
import type { AggregationBody } from './schemas.ts'

const rules = { empty_sum: null, values_max: 3 } as const
const body = (more: Partial<AggregationBody>): AggregationBody => ({
  group_by: [{ field: 'g' }],
  aggregations: [{ function: 'count', alias: 'n' }],
  sort_direction: 'desc',
  ...more,
})
const start = (more: Partial<AggregationBody>) =>
  new Aggregation(planAggregation(body(more)), { fieldPaths: plainField, rules })

describe('bounds of an aggregation', () => {
  test('too many groups are refused before they fill the memory', () => {
    const aggregation = start({})
    assert.throws(
      () => {
        for (let g = 0; g <= GROUPS_MAX; g++) aggregation.add({ g })
      },
      { code: 'aggregation_too_large', message: /100000 groups/ },
    )
  })

  test('too much text in its groups is refused, wherever it gathers', () => {
    for (const name of ['push', 'add_to_set', 'count_distinct'] as const) {
      const aggregations = [{ function: name, field: 'text', alias: 'x' }]
      const aggregation = start({ aggregations })
      assert.throws(
        () => {
          for (let g = 0; g < 400; g++) aggregation.add({ g, text: `${g}`.padEnd(1_000_000, 'x') })
        },
        { code: 'aggregation_too_large' },
        name,
      )
    }
  })

  test('lists of values are cut, and the answer says so; equal values of a set are no more', () => {
    const aggregation = start({
      aggregations: [
        { function: 'push', field: 'v', alias: 'all' },
        { function: 'add_to_set', field: 'w', alias: 'set' },
      ],
    })
    for (let v = 0; v < 5; v++) aggregation.add({ v, w: v % 3 })
    const { results, query_info } = aggregation.finish()
    assert.deepEqual(results[0]!.metrics, { all: [0, 1, 2], set: [0, 1, 2] })
    assert.deepEqual(query_info, { records: 5, truncated: true })
  })
})

test('what a sum of no numbers is, its owner says', () => {
  const aggregation = start({ aggregations: [{ function: 'sum', field: 'x', alias: 's' }] })
  aggregation.add({ g: 1, x: 'one' })
  assert.equal(aggregation.finish().results[0]!.metrics.s, null)
})

test('the order of additions does not change a sum', () => {
  const values = [1e16, 1, -1e16, 0.1, 0.2, -0.3, 1, 1]
  const sumOf = (list: number[]) => {
    const aggregation = start({ aggregations: [{ function: 'sum', field: 'x', alias: 's' }] })
    for (const x of list) aggregation.add({ x })
    return aggregation.finish().results[0]!.metrics.s as number
  }
  assert.ok(Math.abs(sumOf(values) - 3) < 1e-9)
  assert.ok(Math.abs(sumOf(values.toReversed()) - 3) < 1e-9)
})

test('a field below an unwound list is read from the element, a field beside it from the record', () => {
  const aggregation = start({
    unwind: 'items',
    group_by: [{ field: 'items.kind', alias: 'kind' }, { field: 'shop' }],
    aggregations: [{ function: 'sum', field: 'items.price', alias: 'total' }],
  })
  aggregation.add({
    shop: 'n',
    items: [
      { kind: 'a', price: 1 },
      { kind: 'b', price: 2 },
      { kind: 'a', price: 4 },
    ],
  })
  aggregation.add({ shop: 's', items: { kind: 'a', price: 8 } })
  for (const items of [null, [], undefined]) aggregation.add({ shop: 'n', items })
  assert.deepEqual(aggregation.finish().results, [
    { group: { kind: 'a', shop: 'n' }, metrics: { total: 5 } },
    { group: { kind: 'a', shop: 's' }, metrics: { total: 8 } },
    { group: { kind: 'b', shop: 'n' }, metrics: { total: 2 } },
  ])
})

test('a plan names the fields it looks at, each once', () => {
  const plan = planAggregation(
    body({
      unwind: 'tags',
      aggregations: [
        { function: 'count', field: 'ignored', alias: 'n' },
        { function: 'max', field: 'g', alias: 'm' },
      ],
    }),
  )
  assert.deepEqual(fieldsOf(plan), ['tags', 'g'])
})
