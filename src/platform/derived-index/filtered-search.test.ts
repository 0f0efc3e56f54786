import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { VectorFilter } from '../vectors/vectors.ts'
import { type CandidateSource, filteredSearch } from './filtered-search.ts'

const TOTAL = 50_000
const ranking = Array.from({ length: TOTAL }, (_, i) => ((i * 7919) % TOTAL) + 1)

/** A ranking, roughly known by probes, in which document `ranking[i]` is at place i; counts what is asked of it. */
function source() {
  const asked: string[] = []
  const found = (seqs: number[], k: number) => ({
    seqs: Float64Array.from(seqs.slice(0, k)),
    scores: Float64Array.from(seqs.slice(0, k), (_, i) => 1 / (i + 1)),
    plan: 'hnsw',
    complete: seqs.length < k,
    total: TOTAL,
  })
  const candidates: CandidateSource = {
    async probe(k) {
      asked.push(`probe ${k}`)
      return found(roughly(ranking), k)
    },
    async among(document_seqs, k) {
      asked.push(`among ${document_seqs.length}`)
      const wanted = new Set(document_seqs)
      return found(
        ranking.filter((seq) => wanted.has(seq)),
        k,
      )
    },
  }
  return { asked, candidates }
}

/** Neighbours have changed places. */
const roughly = (seqs: readonly number[]) => seqs.map((_, i) => seqs[i % 2 === 0 ? i + 1 : i - 1] ?? seqs[i]!)

function filterOf(accept: (seq: number) => boolean) {
  const asked: number[] = []
  const filter: VectorFilter = {
    async passing(seqs) {
      asked.push(seqs.length)
      return seqs.filter(accept)
    },
    async all(limit) {
      const all = ranking.filter(accept)
      return all.length > limit ? null : all
    },
  }
  return { asked, filter }
}

const expected = (accept: (seq: number) => boolean, k: number) => ranking.filter(accept).slice(0, k)

async function run(accept: (seq: number) => boolean, top_k = 10) {
  const { asked, candidates } = source()
  const { asked: lookups, filter } = filterOf(accept)
  const { matches } = await filteredSearch(candidates, filter, top_k)
  assert.deepEqual(
    matches.map(({ document_seq }) => document_seq),
    expected(accept, top_k),
  )
  return { asked, lookups }
}

test('one look and one question suffice when many pass', async () => {
  const { asked, lookups } = await run((seq) => seq % 2 === 0)
  assert.deepEqual(asked, ['probe 192', 'among 14'])
  assert.deepEqual(lookups, [32])
})

test('when a few pass, they are asked for and ranked', async () => {
  const { asked } = await run((seq) => seq % 500 === 0)
  assert.deepEqual(asked, ['probe 192', 'among 100'])
})

test('when none passes, the answer is empty and soon there', async () => {
  const { asked } = await run(() => false)
  assert.deepEqual(asked, ['probe 192', 'among 0'])
})

test('when many pass, but none near the top, the walk goes on until they come', async () => {
  const far = new Set(ranking.slice(20_000))
  const { asked } = await run((seq) => far.has(seq))
  assert.ok(asked.length < 12, asked.join(', '))
})

test('no document is asked about twice', async () => {
  const far = new Set(ranking.slice(3000))
  const { lookups } = await run((seq) => far.has(seq), 500)
  const total = lookups.reduce((sum, count) => sum + count, 0)
  assert.ok(total <= TOTAL && Math.max(...lookups) <= 2048)
})

test('all that pass come back when they are fewer than wanted', async () => {
  await run((seq) => seq % 5000 === 0, 100)
  await run((seq) => seq % 2 === 0, 40_000)
})

test('a search that is given up stops at its next step', async () => {
  const { candidates } = source()
  const controller = new AbortController()
  const filter: VectorFilter = {
    async passing() {
      controller.abort(new Error('given up'))
      return []
    },
    all: async () => assert.fail('nothing more is asked'),
  }
  await assert.rejects(filteredSearch(candidates, filter, 10, controller.signal), /given up/)
})
