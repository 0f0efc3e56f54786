import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluateFilter } from './filters/evaluate.ts'
import { parseFilter } from './filters/parse.ts'
import { isCovered, matchesPattern, type ResourceScope, scopesAllow, visibilityFilter } from './key-scopes.ts'

const bucket = (resource_id: string, operations?: ResourceScope['operations']): ResourceScope => ({
  resource_type: 'bucket',
  resource_id,
  ...(operations && { operations }),
})

test('a star stands for any run of characters and nothing else is special', () => {
  for (const [pattern, text, fits] of [
    ['*', '', true],
    ['*', 'anything/at\nall', true],
    ['ns_customer_*', 'ns_customer_7', true],
    ['ns_customer_*', 'ns_custome', false],
    ['*_eu', 'shop_eu', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*bc', 'abc', true],
    ['ab*ba', 'aba', false],
    ['a.c', 'abc', false],
    ['a?c', 'abc', false],
    ['[a-z]', 'b', false],
    ['A', 'a', false],
    ['', '', true],
    ['', 'a', false],
  ] as const)
    assert.equal(matchesPattern(pattern, text), fits, `${pattern} ${text}`)
})

test('a long pattern of stars is judged at once', () => {
  const start_ms = performance.now()
  assert.equal(matchesPattern(`${'*a'.repeat(49)}*b`, 'a'.repeat(100_000)), false)
  assert.ok(performance.now() - start_ms < 200)
})

test('one scope must match resource and operation together', () => {
  const scopes = [bucket('bkt_a', ['read_data']), bucket('bkt_b')]
  const on = (id: string, name?: string) => [{ type: 'bucket', id, ...(name && { name }) }] as const
  assert.ok(scopesAllow(scopes, 'read_data', on('bkt_a')))
  assert.ok(!scopesAllow(scopes, 'write_data', on('bkt_a')), 'the operations of another scope do not count')
  assert.ok(scopesAllow(scopes, 'write_data', on('bkt_b')))
  assert.ok(scopesAllow([bucket('shop')], 'read_data', on('bkt_c', 'shop')))
  assert.ok(!scopesAllow([bucket('*')], 'read_data', [{ type: 'collection', id: 'bkt_a' }]))
  assert.ok(!scopesAllow([], 'read_data', on('bkt_a')))
})

test('a scope covers what is narrower in resource and operations', () => {
  const outer = [bucket('shop-*', ['read_data', 'write_data'])]
  assert.ok(isCovered(bucket('shop-1', ['read_data']), outer))
  assert.ok(isCovered(bucket('shop-a*', ['write_data']), outer))
  assert.ok(!isCovered(bucket('shop-1'), outer), 'no operations are all operations')
  assert.ok(!isCovered(bucket('*', ['read_data']), outer))
  assert.ok(!isCovered(bucket('shop-1', ['delete_data']), outer))
  assert.ok(
    !isCovered({ resource_type: 'collection', resource_id: 'shop-1', operations: ['read_data'] }, outer),
  )
  assert.ok(isCovered(bucket('x'), [{ resource_type: 'organization', resource_id: '*' }]))
})

test('a list shows what the scopes name by id, name or pattern, and nothing without any', () => {
  const shown = (scopes: ResourceScope[]) => {
    const visible = visibilityFilter(scopes, {
      type: 'bucket',
      id_field: 'bucket_id',
      name_field: 'bucket_name',
    })
    if (visible === null) return 'all'
    const filter = parseFilter(visible, { profile: 'management' })!
    return ['a', 'shop-1', 'Shop-2', 'x.y', 'xzy', 'line\nbreak']
      .filter((name) => evaluateFilter(filter, { bucket_id: `bkt_${name}`, bucket_name: name }))
      .join()
  }
  assert.equal(shown([bucket('bkt_a')]), 'a')
  assert.equal(shown([bucket('shop-*')]), 'shop-1')
  assert.equal(shown([bucket('x.y'), bucket('x.*')]), 'x.y')
  assert.equal(shown([bucket('line*')]), 'line\nbreak')
  assert.equal(shown([bucket('*')]), 'all')
  assert.equal(shown([]), '')
  assert.equal(shown([bucket('a', ['write_data'])]), '', 'who may only write does not see')
  assert.equal(shown([{ resource_type: 'collection', resource_id: 'a' }]), '')
})
