import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleaned } from './json-text.ts'

test('text loses NULs and keeps whole characters, at any depth and in names', () => {
  assert.deepEqual(cleaned({ 'a\0': ['x\0y', { b: 'half \ud83d' }], c: '😀' }), {
    a: ['xy', { b: 'half \ufffd' }],
    c: '😀',
  })
})

test('a value with nothing to clean is returned as it is', () => {
  const value = { text: 'plain, with "quotes" and \\u0041' }
  assert.equal(cleaned(value), value)
})
