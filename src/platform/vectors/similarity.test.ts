import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFinite32, normalized, SIMILARITIES } from './similarity.ts'

const row = Float32Array.of(9, 1, 2, 3, 4, 5)
const query = Float32Array.of(1, 0, -1, 2, 0.5)

test('each distance scores as the contract says, whatever the length', () => {
  assert.equal(SIMILARITIES.dot.score(row, 1, query), 1 - 3 + 8 + 2.5)
  assert.equal(SIMILARITIES.euclidean.score(row, 1, query), 1 / (1 + Math.sqrt(0 + 4 + 16 + 4 + 20.25)))
  assert.equal(SIMILARITIES.manhattan.score(row, 1, query), 1 / (1 + 0 + 2 + 4 + 2 + 4.5))
})

test('normalizing gives length 1 without overflow, and leaves zeros alone', () => {
  assert.deepEqual(normalized([3, 4]), Float32Array.of(0.6, 0.8))
  assert.deepEqual(normalized([3e38, 0]), Float32Array.of(1, 0))
  assert.deepEqual(normalized([0, 0]), Float32Array.of(0, 0))
})

test('what Float32 cannot hold is not finite', () => {
  assert.ok(isFinite32([0, -1.5, 3e38]))
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e39, undefined as unknown as number])
    assert.ok(!isFinite32([0, bad]))
})
