// Retriever runs through HTTP over 100,000 documents with vectors of 384 numbers and texts of 64 words.
import { clusteredVectors } from '../tests/support/vector-rows.ts'
import { ceiling } from './support/ceiling.ts'
import { remove, temporaryFolder } from './support/cleanup.ts'
import { exactTop } from './support/exact-search.ts'
import { type Load, load } from './support/load.ts'
import { Report } from './support/report.ts'
import { scaled } from './support/scale.ts'
import { seedDocuments } from './support/seed-documents.ts'
import { type BenchServer, startServer } from './support/server.ts'
import { mean, median } from './support/statistics.ts'
import { untilAtRest, usageOf } from './support/usage.ts'
import { textSource } from './support/words.ts'

const DOCUMENTS = scaled(100_000, 2000)
const DIMENSIONS = 384
const QUERIES = scaled(500, 100)
const TOP_K = 10
const SECONDS = scaled(8, 2)
const WORDS_PER_DOCUMENT = 64
const WORDS_PER_QUERY = 4
/** `rank` of a document is a number below 1000; a filter `rank < n` keeps n thousandths. */
const RANKS = 1000
const INDEX_TIMEOUT_MS = 300_000

const VECTOR = 'mixpeek://text_extractor@v1/embedding'
const KEYWORDS = 'mixpeek://text_extractor@v1/bm25_sparse'

const vectorSearch = {
  feature_uri: VECTOR,
  query: { input_mode: 'vector', value: '{{INPUT.vector}}' },
  top_k: TOP_K,
}
const keywordSearch = {
  feature_uri: KEYWORDS,
  query: { input_mode: 'text', value: '{{INPUT.text}}' },
  top_k: TOP_K,
}
/** Lists that are fused need some depth, or the fusion has nothing to choose from. */
const deeper = (search: object) => ({ ...search, top_k: 100 })

type Query = { vector: number[]; text: string }

export async function run(): Promise<void> {
  const report = new Report('retrieve', `Retriever runs over ${DOCUMENTS.toLocaleString('en-US')} documents`)
  const home = temporaryFolder()
  const vectors = clusteredVectors(DOCUMENTS, DIMENSIONS)
  const texts = textSource(3)
  const queries = makeQueries()
  try {
    const setup = await startServer({ home, env: { KURA_ENGINE_PROCESSES: '0' } })
    const collection_id = await createCollection(setup)
    await setup.stop()
    const ids = await seedDocuments(home, collection_id, DOCUMENTS, (i) => ({
      payload: { title: `Document ${i}`, rank: rankOf(i) },
      vector: vectors[i]!,
      text: texts(WORDS_PER_DOCUMENT),
    }))
    const server = await startServer({ home, env: { KURA_ENGINE_PROCESSES: '0' } })
    try {
      await addIndexBuild(report, server, queries)
      const idOf = new Map(ids.map((id, i) => [id, i]))
      for (const share of [1, 0.5, 0.1, 0.01, 0.001])
        await addVectorSearch(report, server, { queries, vectors, idOf, share })
      await addKind(report, server, 'keywords', queries, 2)
      await addKind(report, server, 'hybrid', queries, 5)
      report.note(`Memory of the server afterwards: ${Math.round(usageOf(server.pid)?.rss_mb ?? 0)} MB.`)
    } finally {
      await server.close()
    }
  } finally {
    remove(home)
  }
  report.note(
    `Vectors around 50 centres, ${DIMENSIONS} numbers each; the query is a vector in the body, so no model runs.`,
  )
  await report.finish()
}

/** Spread over the documents independently of their order and of their vectors. */
const rankOf = (i: number) => (i * 7919) % RANKS

function makeQueries(): Query[] {
  const vectors = clusteredVectors(QUERIES, DIMENSIONS, { seed: 99 })
  const text = textSource(5)
  return vectors.map((vector) => ({
    vector: Array.from(vector, (value) => Number(value.toFixed(6))),
    text: text(WORDS_PER_QUERY),
  }))
}

async function createCollection({ client }: BenchServer): Promise<string> {
  // A field that is filtered by often is declared, so that the database can index it.
  await client.call('PATCH', '/v1/namespaces/default', {
    payload_indexes: [{ field_name: 'rank', type: 'integer', field_schema: { type: 'integer' } }],
  })
  const { bucket_id } = await client.call<{ bucket_id: string }>('POST', '/v1/buckets', {
    bucket_name: 'bench',
    bucket_schema: { properties: { text: { type: 'text' }, rank: { type: 'integer' } } },
  })
  const { collection_id } = await client.call<{ collection_id: string }>('POST', '/v1/collections', {
    collection_name: 'bench',
    source: { type: 'bucket', bucket_ids: [bucket_id] },
    feature_extractor: {
      feature_extractor_name: 'text_extractor',
      version: 'v1',
      input_mappings: { text: 'text' },
      field_passthrough: [{ source_path: 'rank' }],
    },
  })
  const kinds = {
    vectors: { searches: [vectorSearch], final_top_k: TOP_K },
    keywords: { searches: [keywordSearch], final_top_k: TOP_K },
    hybrid: { searches: [deeper(vectorSearch), deeper(keywordSearch)], fusion: 'rrf', final_top_k: TOP_K },
  }
  for (const [name, parameters] of Object.entries(kinds))
    await client.call('POST', '/v1/retrievers', {
      retriever_name: name,
      collection_identifiers: ['bench'],
      input_schema: { vector: { type: 'array' }, text: { type: 'text' } },
      stages: [
        { stage_name: 'search', stage_type: 'filter', config: { stage_id: 'feature_search', parameters } },
      ],
    })
  return collection_id
}

type Answer = {
  results: { document_id: string }[]
  stage_statistics: { stages: { search: { metadata: { plans: string[] } } } }
}

const path = (kind: string) => `/v1/retrievers/${kind}/execute`

const bodyOf = (inputs: Partial<Query>, share = 1) => ({
  inputs,
  ...(share < 1 && { filters: { field: 'rank', operator: 'lt', value: share * RANKS } }),
  pagination: { method: 'offset', page_size: TOP_K, page_number: 1 },
})

/** The first searches start the build; later ones follow it. */
async function addIndexBuild(report: Report, server: BenchServer, queries: Query[]): Promise<void> {
  const { client, pid } = server
  const start_ms = performance.now()
  await client.call('POST', path('hybrid'), bodyOf(queries[0]!))
  report.add({
    what: 'first search after the start, indexes built from the database',
    value: (performance.now() - start_ms) / 1000,
    unit: 's',
  })
  await untilAtRest(pid, INDEX_TIMEOUT_MS)
  report.add({
    what: 'until the graph is complete and nothing runs any more',
    value: (performance.now() - start_ms) / 1000,
    unit: 's',
  })
}

type VectorRun = {
  queries: Query[]
  vectors: Float32Array[]
  idOf: Map<string, number>
  share: number
}

async function addVectorSearch(
  report: Report,
  server: BenchServer,
  { queries, vectors, idOf, share }: VectorRun,
): Promise<void> {
  const { client } = server
  const label = share === 1 ? 'vectors' : `vectors, filter keeping ${share * 100} %`
  const recalls: number[] = []
  const exact_ms: number[] = []
  const plans = new Set<string>()
  for (const { vector } of queries.slice(0, scaled(200, 50))) {
    const answer = await client.call<Answer>('POST', path('vectors'), bodyOf({ vector }, share))
    for (const plan of answer.stage_statistics.stages.search.metadata.plans) plans.add(plan)
    const start_ms = performance.now()
    const expected = new Set(exactTop(vectors, vector, TOP_K, (i) => rankOf(i) < share * RANKS))
    exact_ms.push(performance.now() - start_ms)
    const found = answer.results.filter(({ document_id }) => expected.has(idOf.get(document_id)!))
    recalls.push(expected.size === 0 ? 1 : found.length / expected.size)
  }
  report.add({
    what: `${label}: recall@${TOP_K}`,
    value: mean(recalls),
    target: { min: share === 1 ? 0.98 : 0.97 },
    beside: { name: 'exact scan', value: 1 },
    note: `plan ${[...plans].join(', ')}`,
  })
  const bodies = queries.map(({ vector }) => JSON.stringify(bodyOf({ vector }, share)))
  const one = await loadOn(server, 'vectors', bodies, 1)
  const many = await loadOn(server, 'vectors', bodies, 16)
  const empty = await ceiling({ bodies, clients: 16, seconds: SECONDS })
  report.add({
    what: `${label}: runs, 16 clients`,
    value: many.rate,
    unit: '/s',
    ...(share === 1 && { target: { min: 3000 } }),
    beside: { name: 'empty handler, same bodies', value: empty.rate },
    note: `CPU ${many.cpu_ms.toFixed(2)} ms a run, empty handler ${empty.cpu_ms.toFixed(2)} ms`,
  })
  report.add({
    what: `${label}: p95, 16 clients`,
    value: many.p95_ms,
    unit: 'ms',
    target: { max: share === 1 ? 5 : 8 },
    beside: { name: 'empty handler', value: empty.p95_ms },
    note: `p50 ${many.p50_ms.toFixed(2)} ms`,
  })
  report.add({
    what: `${label}: runs, 1 client`,
    value: one.rate,
    unit: '/s',
    note: `p50 ${one.p50_ms.toFixed(2)} ms, p95 ${one.p95_ms.toFixed(2)} ms; exact scan in JavaScript ${median(exact_ms).toFixed(1)} ms`,
  })
}

async function addKind(
  report: Report,
  server: BenchServer,
  kind: 'keywords' | 'hybrid',
  queries: Query[],
  target_ms: number,
): Promise<void> {
  const bodies = queries.map(({ vector, text }) =>
    JSON.stringify(bodyOf(kind === 'keywords' ? { text } : { vector, text })),
  )
  const one = await loadOn(server, kind, bodies, 1)
  const many = await loadOn(server, kind, bodies, 16)
  const empty = await ceiling({ bodies, clients: 1, seconds: SECONDS })
  report.add({
    what: `${kind}: p50, 1 client`,
    value: one.p50_ms,
    unit: 'ms',
    target: { max: target_ms },
    beside: { name: 'empty handler', value: empty.p50_ms },
    note: `p95 ${one.p95_ms.toFixed(2)} ms`,
  })
  report.add({
    what: `${kind}: runs, 16 clients`,
    value: many.rate,
    unit: '/s',
    note: `p50 ${many.p50_ms.toFixed(2)} ms, p95 ${many.p95_ms.toFixed(2)} ms; CPU ${many.cpu_ms.toFixed(2)} ms a run`,
  })
}

async function loadOn(
  { url, key, pid }: BenchServer,
  kind: string,
  bodies: string[],
  clients: number,
): Promise<Load> {
  const result = await load({
    url: url + path(kind),
    headers: { authorization: `Bearer ${key}` },
    bodies,
    clients,
    seconds: SECONDS,
    pid,
  })
  if (result.failures > 0) throw new Error(`${result.failures} of ${result.answers} runs of ${kind} failed.`)
  return result
}
