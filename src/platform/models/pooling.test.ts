import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Pooling, pool } from './pooling.ts'

// Two texts of up to three tokens; the second has two, and its padding must not count.
const OUTPUT = Float32Array.from([1, 0, 0, 3, 2, 0, 4, 0, 0, 4, 99, 99])
const second = (pooling: Pooling) => pool(OUTPUT, { pooling, index: 1, width: 3, length: 2, dimensions: 2 })

test('the mean is over real tokens alone', () => {
  const vector = second('mean')
  assert.ok(Math.abs(vector[0]! - Math.SQRT1_2) < 1e-6 && Math.abs(vector[1]! - Math.SQRT1_2) < 1e-6)
})

test('cls takes the first token, last the last real one', () => {
  assert.deepEqual([...second('cls')], [1, 0])
  assert.deepEqual([...second('last')], [0, 1])
})

test('without pooling each text has one row', () => {
  const options = { pooling: 'none', width: 1, length: 7, dimensions: 2 } as const
  assert.deepEqual([...pool(OUTPUT, { ...options, index: 2 })], [1, 0])
})
