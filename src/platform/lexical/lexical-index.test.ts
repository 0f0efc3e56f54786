import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LexicalIndex } from './lexical-index.ts'

/** Words of falling frequency, the same for the same seed. */
function textOf(seed: number): string {
  let state = seed + 1
  return Array.from({ length: 40 }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return `w${Math.floor(300 ** (state / 0x80000000))}`
  }).join(' ')
}

/** All scores by document, from an index that was built at once and never changed. */
function truth(model: ReadonlyMap<number, string>, query: string): Map<number, number> {
  const fresh = new LexicalIndex()
  for (const [document_seq, text] of model) fresh.put({ document_seq, text })
  const { seqs, scores } = fresh.search(query, model.size)
  return new Map(Array.from(seqs, (seq, i) => [seq, scores[i]!]))
}

test('packing and tidying in steps changes no score, while writes go on', () => {
  const index = new LexicalIndex()
  const model = new Map<number, string>()
  const put = (document_seq: number, text: string) => {
    index.put({ document_seq, text })
    model.set(document_seq, text)
  }
  const check = () => {
    for (const query of ['w1 w250', 'w5', 'w100 w2 w1 w77', 'unknown']) {
      const expected = truth(model, query)
      const found = index.search(query, 4000)
      assert.deepEqual(new Set(found.seqs), new Set(expected.keys()))
      for (const [i, seq] of found.seqs.entries())
        assert.ok(Math.abs(found.scores[i]! - expected.get(seq)!) < 1e-9, `${query}: ${seq}`)
      // A few best: common words are passed over where they cannot matter.
      const few = index.search(query, 5).scores
      for (const [i, score] of few.entries()) assert.ok(Math.abs(score - found.scores[i]!) < 1e-9, query)
    }
  }
  for (let seq = 1; seq <= 4000; seq += 1) put(seq, textOf(seq))
  check()
  for (let round = 1; round <= 5; round += 1) {
    for (let seq = 1; seq <= 4000; seq += 1) {
      if (seq % 3 !== round % 3) put(seq, textOf(seq + round * 10_000))
      if (seq % 11 === round) {
        index.delete(seq)
        model.delete(seq)
      }
      if (seq % 50 === 0) index.step(20)
    }
    check()
    while (index.hasWork) index.step(100)
    check()
  }
  const packed = index.packed()
  assert.ok(packed.texts.seqs.length < model.size + 2500, 'dead slots are gone')
  const copy = new LexicalIndex(packed)
  const [before, after] = [index.search('w3 w40', 50), copy.search('w3 w40', 50)]
  assert.deepEqual(after.seqs, before.seqs)
  assert.deepEqual(after.scores, before.scores)
})

test('a text that comes again changes nothing', () => {
  const index = new LexicalIndex()
  index.put({ document_seq: 1, text: 'north wind' })
  const { revision } = index
  index.put({ document_seq: 1, text: 'north wind' })
  index.delete(9)
  assert.equal(index.revision, revision)
  assert.equal(index.count, 1)
})
