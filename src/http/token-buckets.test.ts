import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBuckets } from './token-buckets.ts'

test('a bucket gives as much as fits, says when it gives again, and fills evenly', () => {
  let now_ms = 0
  const buckets = new TokenBuckets({ now: () => now_ms })
  assert.deepEqual(buckets.take('a', 2), { is_allowed: true, remaining: 1, reset_s: 30, retry_after_s: 0 })
  assert.deepEqual(buckets.take('a', 2), { is_allowed: true, remaining: 0, reset_s: 60, retry_after_s: 0 })
  assert.deepEqual(buckets.take('a', 2), { is_allowed: false, remaining: 0, reset_s: 60, retry_after_s: 30 })
  assert.equal(buckets.wait_s('a', 2), 30)
  assert.equal(buckets.wait_s('b', 2), 0, 'others are not touched')
  now_ms = 29_999
  assert.equal(buckets.take('a', 2).is_allowed, false)
  now_ms = 30_001
  assert.equal(buckets.take('a', 2).is_allowed, true)
  assert.equal(buckets.take('a', 2).is_allowed, false)
  now_ms = 10_000_000
  assert.equal(buckets.take('a', 2).remaining, 1, 'never more than fits')
})

test('at high limits the wait is still a whole second', () => {
  const buckets = new TokenBuckets({ now: () => 0 })
  for (let i = 0; i < 1000; i++) buckets.take('a', 1000)
  assert.equal(buckets.take('a', 1000).retry_after_s, 1)
})

test('a clock that goes back takes nothing away', () => {
  let now_ms = 100_000
  const buckets = new TokenBuckets({ now: () => now_ms })
  buckets.take('a', 10)
  now_ms = 0
  assert.equal(buckets.take('a', 10).remaining, 8)
})

test('names without end do not take memory without end', () => {
  const buckets = new TokenBuckets({ now: () => 0 })
  for (let i = 0; i < 100_000; i++) buckets.take(`address ${i}`, 10)
  assert.equal(buckets.take('address 99999', 10).remaining, 8)
})
