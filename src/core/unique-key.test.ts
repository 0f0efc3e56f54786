import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BucketSchema } from './bucket-schema.ts'
import type { JsonObject } from './json.ts'
import { uniqueKeyOf } from './unique-key.ts'

const SCHEMA: BucketSchema = {
  properties: {
    sku: { type: 'string' },
    size: { type: 'number' },
    at: { type: 'datetime' },
    day: { type: 'date' },
  },
}
const hash = (keys: string[], fields: JsonObject) => uniqueKeyOf({ fields: keys }, SCHEMA, fields).hash

test('order of fields and place of values make no difference', () => {
  const one = hash(['sku', 'size'], { sku: 'a', size: 1, other: 'x' })
  assert.equal(one, hash(['size', 'sku'], { size: 1.0, metadata: { sku: 'a' } }))
  assert.notEqual(one, hash(['sku', 'size'], { sku: 'a', size: 1.5 }))
})

test('strings are compared exactly, and a string is no number', () => {
  const one = hash(['sku'], { sku: 'a' })
  for (const sku of ['A', ' a', 'á']) assert.notEqual(one, hash(['sku'], { sku }))
  assert.notEqual(hash(['sku'], { sku: '1' }), hash(['sku'], { sku: 1 }))
})

test('instants are compared as moments', () => {
  const utc = hash(['at'], { at: '2026-01-01T10:00:00Z' })
  assert.equal(utc, hash(['at'], { at: '2026-01-01T12:00:00.000+02:00' }))
  assert.equal(utc, hash(['at'], { at: '2026-01-01T10:00:00' }))
  assert.notEqual(utc, hash(['at'], { at: '2026-01-01T10:00:00.001Z' }))
})

test('a missing, null, empty, too long or structured value is refused by name', () => {
  const unusable: JsonObject[] = [
    {},
    { sku: null },
    { sku: '' },
    { sku: 'x'.repeat(256) },
    { sku: true },
    { sku: ['a'] },
  ]
  for (const fields of unusable)
    assert.throws(() => hash(['sku'], fields), { code: 'unique_key_missing', details: { field: 'sku' } })
  assert.ok(hash(['sku'], { sku: 'x'.repeat(255) }))
})
