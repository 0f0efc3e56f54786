import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIMILARITIES } from './similarity.ts'
import { VectorIndex } from './vector-index.ts'

const DIMENSIONS = 512

/** Deterministic and all different; similar numbers do not give similar vectors. */
function vectorOf(seed: number): Float32Array {
  let state = seed + 1
  return Float32Array.from({ length: DIMENSIONS }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
    return state / 2 ** 31
  })
}

const row = (document_seq: number, seed = document_seq) => ({
  document_seq,
  collection_id: `col_${document_seq % 2}`,
  vector: vectorOf(seed),
})

test('rows that were overwritten are left behind, while searches and writes go on', () => {
  const index = VectorIndex.empty(DIMENSIONS, SIMILARITIES.dot)
  const count = 5000
  for (let seq = 1; seq <= count; seq += 1) index.put(row(seq))
  while ((index.graph?.size ?? 0) < count) index.step(500)
  assert.equal(index.graph?.size, count)
  const model = new Map(Array.from({ length: count }, (_, i) => [i + 1, i + 1]))

  // Every row is overwritten, one at a time, and now and then a step is done and the answer checked.
  const check = () => {
    const query = vectorOf(77_777)
    const expected = [...model]
      .map(([seq, seed]) => ({ seq, score: SIMILARITIES.dot.score(vectorOf(seed), 0, query) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, 2000)
    // So many are wanted that the search is exact: no row may be lost or come twice.
    const found = index.search(query, 2000, ['col_0', 'col_1'])
    assert.equal(found.plan, 'exact')
    assert.deepEqual(
      Array.from(found.seqs),
      expected.map(({ seq }) => seq),
    )
  }
  for (let seq = 1; seq <= count; seq += 1) {
    index.put(row(seq, seq + 100_000))
    model.set(seq, seq + 100_000)
    if (seq % 7 === 0) {
      index.delete(seq - 3)
      model.delete(seq - 3)
    }
    if (seq % 20 === 0) index.step(8)
    if (seq % 1000 === 0) check()
  }
  while (index.hasWork) index.step(500)
  check()
  assert.equal(index.count, model.size)
  const dead = index.rows.size - index.count
  assert.ok(dead <= Math.max(2000, index.rows.size / 3), `${dead} dead slots are left`)
})

test('a row that comes again changes nothing', () => {
  const index = VectorIndex.empty(DIMENSIONS, SIMILARITIES.cosine)
  index.put(row(1))
  const { revision } = index
  index.put(row(1))
  index.delete(2)
  assert.equal(index.revision, revision)
  assert.equal(index.rows.size, 1)
  assert.ok(index.holds(row(1)))
  assert.ok(!index.holds(row(1, 2)))
  assert.ok(!index.holds({ ...row(1), collection_id: 'col_other' }))
})
