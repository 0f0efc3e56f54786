import assert from 'node:assert/strict'
import test from 'node:test'
import { instantOf, numberOf } from './scalars.ts'

test('a date is its midnight in UTC', () => {
  assert.equal(instantOf('2026-02-28'), '2026-02-28T00:00:00.000000Z')
})

test('offsets are applied, a missing zone means UTC', () => {
  assert.equal(instantOf('2026-01-01T00:30:00+01:00'), '2025-12-31T23:30:00.000000Z')
  assert.equal(instantOf('2026-01-01 00:30+0100'), '2025-12-31T23:30:00.000000Z')
  assert.equal(instantOf('2026-01-01T00:30'), '2026-01-01T00:30:00.000000Z')
})

test('a fraction keeps six digits', () => {
  assert.equal(instantOf('2026-01-01T00:00:00.5Z'), '2026-01-01T00:00:00.500000Z')
  assert.equal(instantOf('2026-01-01T00:00:00.123456789-00:00'), '2026-01-01T00:00:00.123456Z')
})

test('what is no day or time of the years 1 to 9999 is text', () => {
  for (const text of [
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '0000-01-01',
    '2026-01-01T24:00:00Z',
    '2026-01-01T10:60:00Z',
    '2026-01-01T10:00:00+24:00',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:30:00-01:00',
    '2026-1-1',
    '2026',
    '2026-01-01T',
    'x2026-01-01',
    '2026-01-01\n',
  ])
    assert.equal(instantOf(text), null, text)
  assert.notEqual(instantOf('2024-02-29'), null)
})

test('numbers are spelled in decimal, with an optional exponent', () => {
  assert.equal(numberOf('10'), 10)
  assert.equal(numberOf('-1.50'), -1.5)
  assert.equal(numberOf('+2e3'), 2000)
  for (const text of ['', ' 1', '1 ', '0x10', 'Infinity', '1e999', '.5', '5.', '1_000', '٣'])
    assert.equal(numberOf(text), null, text)
})
