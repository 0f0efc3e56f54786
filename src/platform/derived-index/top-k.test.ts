import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sortNearlySorted, TopK } from './top-k.ts'

test('it keeps what a sort by score and number would put first', () => {
  const offers = fc.uniqueArray(
    fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: -3, max: 3 })),
    {
      selector: ([seq]) => seq,
      maxLength: 300,
    },
  )
  fc.assert(
    fc.property(offers, fc.integer({ min: 1, max: 60 }), (rows, k) => {
      const best = new TopK(k)
      for (const [seq, score] of rows) best.offer(seq, score)
      const expected = rows.toSorted(([s1, a], [s2, b]) => b - a || s1 - s2).slice(0, k)
      const { seqs, scores } = best.ranked()
      assert.deepEqual(
        expected,
        Array.from(seqs, (seq, i) => [seq, scores[i]]),
      )
    }),
  )
})

test('inserting sorts by score and number, whatever the order before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(50), fc.integer({ min: -3, max: 3 })), { maxLength: 60 }),
      (rows) => {
        const ranked = {
          seqs: Float64Array.from(rows, ([seq]) => seq),
          scores: Float64Array.from(rows, ([, score]) => score),
        }
        sortNearlySorted(ranked)
        assert.deepEqual(
          rows.toSorted(([s1, a], [s2, b]) => b - a || s1 - s2),
          Array.from(ranked.seqs, (seq, i) => [seq, ranked.scores[i]]),
        )
      },
    ),
  )
})

test('it grows past its first room', () => {
  const best = new TopK(5000)
  for (let seq = 1; seq <= 9000; seq += 1) best.offer(seq, seq)
  const { seqs } = best.ranked()
  assert.equal(seqs.length, 5000)
  assert.equal(seqs[0], 9000)
  assert.equal(seqs.at(-1), 4001)
})
