import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuse, type RankedList } from './fusion.ts'

const list = (key: string, ...pairs: [number, number][]): RankedList => ({
  key,
  weight: 1,
  matches: pairs.map(([document_seq, score]) => ({ document_seq, score })),
})

test('rrf adds the reciprocal ranks, so a document in both lists beats the head of one', () => {
  const fused = fuse([list('a', [1, 0.9], [2, 0.8]), list('b', [2, 5], [3, 4])], 'rrf')
  assert.deepEqual(
    fused.map((one) => one.document_seq),
    [2, 1, 3],
  )
  assert.equal(fused[0]!.score, 1 / 62 + 1 / 61)
  assert.deepEqual(
    [...fused[0]!.scores],
    [
      ['a', 0.8],
      ['b', 5],
    ],
  )
})

test('equal scores keep the order of the document numbers', () => {
  const fused = fuse([list('a', [9, 1]), list('b', [4, 1])], 'rrf')
  assert.deepEqual(
    fused.map((one) => one.document_seq),
    [4, 9],
  )
})

test('weighted multiplies raw scores, max takes the best, negative ones included', () => {
  const lists = [{ ...list('a', [1, 0.5]), weight: 2 }, list('b', [1, -0.25], [2, -0.5])]
  assert.deepEqual(
    fuse(lists, 'weighted').map((one) => one.score),
    [0.75, -0.5],
  )
  assert.deepEqual(
    fuse(lists, 'max').map((one) => one.score),
    [0.5, -0.5],
  )
})

test('dbsf gives a list without spread one half each', () => {
  assert.deepEqual(
    fuse([list('a', [1, 3], [2, 3])], 'dbsf').map((one) => one.score),
    [0.5, 0.5],
  )
  const [best, worst] = fuse([list('a', [1, 10], [2, 0])], 'dbsf')
  assert.ok(Math.abs(best!.score - 2 / 3) < 1e-9 && Math.abs(worst!.score - 1 / 3) < 1e-9)
})
