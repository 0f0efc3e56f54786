import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ATTEMPTS_MAX, retryDelay } from './retry-schedule.ts'

const NOW = Date.UTC(2026, 0, 1)

test('a delivery is tried again after 10 s, 1, 5 and 30 min, 2, 6, 12 and 24 h, and then given up', () => {
  const delays = Array.from({ length: ATTEMPTS_MAX }, (_, i) => retryDelay(i + 1, undefined, NOW))
  const seconds = delays.map((delay) => delay && delay / 1000)
  assert.deepEqual(seconds, [10, 60, 300, 1800, 7200, 21_600, 43_200, 86_400, null])
})

test('Retry-After prolongs a wait up to a day and shortens none', () => {
  assert.equal(retryDelay(1, '120', NOW), 120_000)
  assert.equal(retryDelay(3, '120', NOW), 300_000)
  assert.equal(retryDelay(1, '99999999', NOW), 86_400_000)
  assert.equal(retryDelay(1, 'Thu, 01 Jan 2026 00:05:00 GMT', NOW), 300_000)
  assert.equal(retryDelay(1, 'Wed, 31 Dec 2025 00:00:00 GMT', NOW), 10_000)
  assert.equal(retryDelay(1, 'soon', NOW), 10_000)
  assert.equal(retryDelay(ATTEMPTS_MAX, '120', NOW), null)
})
