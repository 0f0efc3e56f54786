import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LATENCY_COLUMNS } from '../../../platform/db/tables/organization-tables.ts'
import { percentile } from './percentile.ts'

const counts = (given: Partial<Record<(typeof LATENCY_COLUMNS)[number], number>>) =>
  LATENCY_COLUMNS.map((column) => given[column] ?? 0)

test('a percentile lies in the range that holds it', () => {
  assert.equal(percentile(counts({}), 0.95), 0)
  assert.equal(percentile(counts({ ms_10: 100 }), 0.5), 7.5)
  assert.equal(percentile(counts({ ms_1: 95, ms_1000: 5 }), 0.95), 1)
  assert.equal(percentile(counts({ ms_1: 90, ms_1000: 10 }), 0.95), 750)
  assert.equal(
    percentile(counts({ ms_more: 3 }), 0.95),
    10_000,
    'what is past every bound is at least the last',
  )
})
