import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Caller } from '../core/permissions.ts'
import { CallerCache } from './auth.ts'

const caller: Caller = {
  organizationId: 'org_1',
  keyId: 'key_1',
  userId: null,
  permission: 'read',
  scopes: [],
  allowedOrigins: [],
  expires_at_ms: Number.POSITIVE_INFINITY,
  rateLimits: null,
  auditsReads: false,
}

test('a key is believed for five seconds and never longer than it lives', () => {
  let now_ms = 1_000_000
  const callers = new CallerCache({ now: () => now_ms })
  callers.set('Bearer a', caller, callers.begin())
  callers.set('Bearer b', { ...caller, expires_at_ms: now_ms + 2000 }, callers.begin())
  now_ms += 1999
  assert.ok(callers.get('Bearer a') && callers.get('Bearer b'))
  now_ms += 1
  assert.equal(callers.get('Bearer b'), undefined, 'it has expired')
  now_ms += 2999
  assert.ok(callers.get('Bearer a'))
  now_ms += 1
  assert.equal(callers.get('Bearer a'), undefined)
  assert.ok(callers.wasKnown('Bearer a'))
})

test('after a change of keys nobody is believed without being looked up', () => {
  const callers = new CallerCache()
  callers.set('Bearer a', caller, callers.begin())
  callers.expire()
  assert.equal(callers.get('Bearer a'), undefined)
})

test('what a slow look-up found counts from its begin, and not at all when keys changed meanwhile', () => {
  let now_ms = 1_000_000
  const callers = new CallerCache({ now: () => now_ms })
  const slow = callers.begin()
  now_ms += 4000
  callers.set('Bearer a', caller, slow)
  now_ms += 999
  assert.ok(callers.get('Bearer a'))
  now_ms += 1
  assert.equal(callers.get('Bearer a'), undefined)
  const overtaken = callers.begin()
  callers.expire()
  callers.set('Bearer a', caller, overtaken)
  assert.equal(callers.get('Bearer a'), undefined)
})
