import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tiersOf } from './dag.ts'

const node = (collection_id: string, ...source_collection_ids: string[]) => ({
  collection_id,
  source_collection_ids,
})

test('a collection runs in the tier after the last of its sources', () => {
  const nodes = [node('a'), node('b', 'a'), node('c', 'a', 'b'), node('d', 'c'), node('e', 'a')]
  assert.deepEqual(tiersOf(['a'], nodes), [['a'], ['b', 'e'], ['c'], ['d']])
})

test('sources that are not part of the run do not hold a collection back', () => {
  assert.deepEqual(tiersOf(['a'], [node('a', 'elsewhere'), node('b', 'a', 'elsewhere')]), [['a'], ['b']])
})

test('several collections on the bucket share tier 0', () => {
  assert.deepEqual(tiersOf(['a', 'b'], [node('a'), node('b')]), [['a', 'b']])
})

test('a circle is an error, not a hang', () => {
  assert.throws(() => tiersOf(['a'], [node('a'), node('b', 'c', 'a'), node('c', 'b')]), /circle/)
})
