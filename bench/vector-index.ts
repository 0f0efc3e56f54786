// Measures the in-process vector index by itself: node bench/vector-index.ts [rows] [dimensions]
// Prints one line a figure. Targets and the numbers behind the choices stand in design notes and in
// the comments of src/platform/vectors.

import { rm } from 'node:fs/promises'
import { createVectorIndexes } from '../src/platform/vectors/in-process-indexes.ts'

import type { VectorFilter, VectorIndexes, VectorSearch } from '../src/platform/vectors/vectors.ts'
import {
  clusteredVectors,
  makeCollection,
  makeVectorIndex,
  searchDatabase,
  storeVectors,
} from '../tests/support/vector-rows.ts'
import { latencies, report } from './support/measure.ts'

const ROWS = Number(process.argv[2] ?? 100_000)
const DIMENSIONS = Number(process.argv[3] ?? 384)
const QUERIES = 200

const database = await searchDatabase('sqlite')
const { db, url, home } = database
await makeCollection(db, 'col_a')
await makeCollection(db, 'col_b')
const vector_index_id = await makeVectorIndex(db, DIMENSIONS)

const vectors = clusteredVectors(ROWS, DIMENSIONS, { clusters: 1000 })
const queries = clusteredVectors(QUERIES, DIMENSIONS, { clusters: 1000, seed: 77 })
let started = performance.now()
const split = Math.floor(ROWS * 0.9)
await storeVectors(
  db,
  vector_index_id,
  'col_a',
  vectors.slice(0, split).map((vector, i) => [i + 1, vector]),
)
await storeVectors(
  db,
  vector_index_id,
  'col_b',
  vectors.slice(split).map((vector, i) => [split + i + 1, vector]),
)
report('rows written to SQLite', ROWS / ((performance.now() - started) / 1000), 'rows/s')

const both = ['col_a', 'col_b']
const search = (more: Partial<VectorSearch> = {}): VectorSearch => ({
  vector_index_id,
  vector: queries[0]!,
  top_k: 10,
  collection_ids: both,
  ...more,
})

let indexes: VectorIndexes = createVectorIndexes({ database_url: url, home })
started = performance.now()
await indexes.search(search())
report('first search, rows read from the database', performance.now() - started, 'ms')
await measureLatency('exact scan while the graph is built (top 10)', {}, 20)
started = performance.now()
await untilIdle()
report('then until the graph is complete and saved', (performance.now() - started) / 1000, 's')
report('RSS', process.memoryUsage().rss / 1e6, 'MB')

await measureLatency('top 10', {})
await measureLatency('top 100', { top_k: 100 })
await measureLatency('top 1000', { top_k: 1000 }, 50)
await measureLatency('top 10000', { top_k: 10_000 }, 20)
await measureLatency('one of two collections (10 % of the rows)', { collection_ids: ['col_b'] })
await measureConcurrent('top 10', {}, 16)
for (const percent of [50, 10, 1, 0.1]) {
  const accept = (seq: number) => (seq * 7919) % 1000 < percent * 10
  await measureLatency(`filter keeps ${percent} %`, { filter: memoryFilter(accept) }, QUERIES, accept)
  await measureConcurrent(`filter keeps ${percent} %`, { filter: memoryFilter(accept) }, 16)
}

started = performance.now()
await indexes.close()
report('snapshot written', performance.now() - started, 'ms')
indexes = createVectorIndexes({ database_url: url, home })
started = performance.now()
const loaded = await indexes.search(search())
report(`snapshot read, first search (${loaded.plan})`, performance.now() - started, 'ms')
await indexes.close()
await rm(`${home}/index`, { recursive: true })
await database.close()

/** Background work shows in the processor time of this process alone. */
async function untilIdle(): Promise<void> {
  for (let quiet = 0; quiet < 5; ) {
    const before = process.cpuUsage()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const { user, system } = process.cpuUsage(before)
    quiet = user + system < 50_000 ? quiet + 1 : 0
  }
}

async function measureLatency(
  name: string,
  more: Partial<VectorSearch>,
  count = QUERIES,
  accept: (seq: number) => boolean = () => true,
): Promise<void> {
  const wanted = new Set(more.collection_ids ?? both)
  const inCollection = (seq: number) => wanted.has(seq <= split ? 'col_a' : 'col_b')
  const times: number[] = []
  let hits = 0
  let expected = 0
  const plans = new Set<string>()
  for (const vector of queries.slice(0, count)) {
    const begun = performance.now()
    const { matches, plan } = await indexes.search(search({ ...more, vector }))
    times.push(performance.now() - begun)
    plans.add(plan)
    if (times.length > 40) continue // The truth takes longer to find than the answer.
    const truth = exact(vector, more.top_k ?? 10, (seq) => accept(seq) && inCollection(seq))
    const found = new Set(matches.map(({ document_seq }) => document_seq))
    hits += truth.filter((seq) => found.has(seq)).length
    expected += truth.length
  }
  report(`${name} [${[...plans]}], recall ${(hits / expected).toFixed(4)}`, ...latencies(times))
}

async function measureConcurrent(name: string, more: Partial<VectorSearch>, clients: number): Promise<void> {
  const times: number[] = []
  const before = process.cpuUsage()
  const begun = performance.now()
  const client = async (first: number) => {
    for (let i = first; i < 150; i += 1) {
      const start = performance.now()
      await indexes.search(search({ ...more, vector: queries[(i * 17 + first) % QUERIES]! }))
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, i) => client(i)))
  const rate = times.length / ((performance.now() - begun) / 1000)
  // Processor time says what a search costs also when the machine is busy with other things.
  const { user, system } = process.cpuUsage(before)
  const cost_us = ((user + system) / times.length).toFixed(0)
  report(
    `${name}, ${clients} clients, ${rate.toFixed(0)} searches/s, ${cost_us} µs of processor each`,
    ...latencies(times),
  )
}

function exact(query: Float32Array, top_k: number, accept: (seq: number) => boolean): number[] {
  return vectors
    .flatMap((vector, i) => (accept(i + 1) ? [{ seq: i + 1, score: dot(vector, query) }] : []))
    .sort((a, b) => b.score - a.score || a.seq - b.seq)
    .slice(0, top_k)
    .map(({ seq }) => seq)
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!
  return sum
}

/** A filter that costs nothing: what is measured is the index, not the database. */
function memoryFilter(accept: (seq: number) => boolean): VectorFilter {
  const all = Array.from({ length: ROWS }, (_, i) => i + 1).filter(accept)
  return {
    passing: async (seqs) => seqs.filter(accept),
    all: async (limit) => (all.length > limit ? null : all),
  }
}
