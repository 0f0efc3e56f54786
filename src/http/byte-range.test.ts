import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchesEtag, parseRange } from './byte-range.ts'

const part = (start: number, end: number) => ({ kind: 'part', start, end })

test('the three forms of a range, clamped to the size', () => {
  assert.deepEqual(parseRange('bytes=0-0', 10), part(0, 0))
  assert.deepEqual(parseRange('bytes=2-5', 10), part(2, 5))
  assert.deepEqual(parseRange('bytes=2-500', 10), part(2, 9))
  assert.deepEqual(parseRange('bytes=7-', 10), part(7, 9))
  assert.deepEqual(parseRange('bytes=-3', 10), part(7, 9))
  assert.deepEqual(parseRange('bytes=-300', 10), part(0, 9))
  assert.deepEqual(parseRange('Bytes = 1 - 2', 10), part(1, 2))
})

test('a range outside the body cannot be satisfied', () => {
  for (const header of ['bytes=10-', 'bytes=10-20', 'bytes=-0'])
    assert.deepEqual(parseRange(header, 10), { kind: 'unsatisfiable' }, header)
  assert.deepEqual(parseRange('bytes=0-', 0), { kind: 'unsatisfiable' })
})

test('what is not one range of bytes is ignored', () => {
  for (const header of [
    undefined,
    '',
    'bytes=',
    'bytes=-',
    'bytes=5-2',
    'bytes=0-1,4-5',
    'items=0-1',
    'bytes=a-b',
  ])
    assert.deepEqual(parseRange(header, 10), { kind: 'whole' }, header)
})

test('entity tags are found in lists, weak or strong', () => {
  assert.ok(matchesEtag('"a", W/"b"', '"b"'))
  assert.ok(matchesEtag('*', '"b"'))
  assert.ok(!matchesEtag('"a"', '"b"'))
  assert.ok(!matchesEtag(undefined, '"b"'))
})
