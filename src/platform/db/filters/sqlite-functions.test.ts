import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import { registerFilterFunctions } from './sqlite-functions.ts'

const database = new DatabaseSync(':memory:')
registerFilterFunctions(database)

const result = (expression: string, ...parameters: string[]) =>
  database.prepare(`select ${expression} as result`).get(...parameters)?.result

test('functions run the reference code', () => {
  assert.equal(result('kura_fold(?)', 'E\u0301COLE'), 'école')
  assert.equal(result('kura_instant(?)', '2026-01-01'), '2026-01-01T00:00:00.000000Z')
  assert.equal(result('kura_number(?)', '1e2'), 100)
  assert.equal(result("kura_regex('^É', 'fold', ?)", 'école'), 1)
  assert.equal(result("kura_words('fox quick', ?)", 'A quick fox.'), 1)
  assert.equal(result('kura_sort_text(\'["a"]\', ?)', '{"a":true}'), '41')
})

test('null and values of other types give null, also integers beyond 2^53', () => {
  for (const value of ['null', '5', '9223372036854775807', '1.5', "x'00'"]) {
    assert.equal(result(`kura_fold(${value})`), null)
    assert.equal(result(`kura_instant(${value})`), null)
    assert.equal(result(`kura_regex('a', '', ${value})`), null)
  }
})

test('a test of JSON fails where the path leads nowhere, even if it asks for null', () => {
  const equalsNull = JSON.stringify({
    path: ['a'],
    test: { operator: 'in', value: [null], fold: false, negated: false },
  })
  assert.equal(result('kura_test(?, ?)', equalsNull, '{}'), 0)
  assert.equal(result('kura_test(?, ?)', equalsNull, '{"a":null}'), 1)
})

test('functions are deterministic, so that SQLite may use them in indexes and move them', () => {
  database.exec('create table texts (value text); create index folded on texts (kura_fold(value))')
})
