// Search quality on the Cranfield collection, through the public API, beside independent libraries.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '../src/cli/client.ts'
import { type Baseline, runBaseline } from './support/baseline.ts'
import { dataFolder, readJsonLines } from './support/data.ts'
import { ndcg10 } from './support/ndcg.ts'
import {
  createBucket,
  createCollection,
  createObjects,
  createRetriever,
  process,
} from './support/pipeline.ts'
import { Report } from './support/report.ts'
import { withServer } from './support/server.ts'
import { mean, percentile } from './support/statistics.ts'

const RANKS = 10
/** Kura's own may be this much worse than the library at most. */
const TOLERANCE = 0.01
/** Depth of the lists that are fused. */
const FUSED = 100

const VECTOR = 'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1'
const KEYWORDS = 'mixpeek://text_extractor@v1/bm25_sparse'
const KINDS = ['keywords', 'vectors', 'hybrid'] as const
type Kind = (typeof KINDS)[number]

type Document = { _id: string; title: string; text: string }
type Query = { _id: string; text: string }
type Quality = { ndcg: number; latencies_ms: number[] }

export async function run(): Promise<void> {
  const report = new Report('cranfield', 'Cranfield: 1,400 abstracts, 225 queries')
  const data = dataFolder('cranfield')
  const documents = await readJsonLines<Document>(join(data, 'corpus.jsonl'))
  const queries = await readJsonLines<Query>(join(data, 'queries.jsonl'))
  const judgements = await readJudgements(join(data, 'qrels.tsv'))
  const quality = await withServer({}, async ({ client }) => {
    await ingest(report, client, documents)
    const found = {} as Record<Kind, Quality>
    for (const kind of KINDS) found[kind] = await measure(client, kind, queries, judgements)
    return found
  })
  const baseline = runBaseline(data)
  addQuality(report, quality, baseline)
  await report.finish()
}

/** Relevance by document by query; the first line names the columns. */
async function readJudgements(path: string): Promise<Map<string, Map<string, number>>> {
  const judgements = new Map<string, Map<string, number>>()
  for (const line of (await readFile(path, 'utf8')).trim().split('\n').slice(1)) {
    const [query, document, relevance] = line.split('\t') as [string, string, string]
    const judged = judgements.get(query) ?? new Map<string, number>()
    judgements.set(query, judged.set(document, Number(relevance)))
  }
  return judgements
}

/** Title and text go in as one text, so that words and meaning see what the libraries see. */
async function ingest(report: Report, client: Client, documents: Document[]): Promise<void> {
  const bucket_id = await createBucket(client, 'cranfield', {
    content: { type: 'text' },
    number: { type: 'integer' },
  })
  await createCollection(client, 'cranfield', bucket_id, {
    feature_extractor_name: 'text_extractor',
    input_mappings: { text: 'content' },
    field_passthrough: [{ source_path: 'number' }],
  })
  const vector = { feature_uri: VECTOR, query: { input_mode: 'text', value: '{{INPUT.query}}' } }
  const keywords = { feature_uri: KEYWORDS, query: { input_mode: 'text', value: '{{INPUT.query}}' } }
  const inputs = { query: { type: 'text' } }
  const alone = (search: object) => ({ inputs, searches: [{ ...search, top_k: RANKS }], final_top_k: RANKS })
  await createRetriever(client, 'keywords', 'cranfield', alone(keywords))
  await createRetriever(client, 'vectors', 'cranfield', alone(vector))
  await createRetriever(client, 'hybrid', 'cranfield', {
    inputs,
    searches: [vector, keywords].map((search) => ({ ...search, top_k: FUSED })),
    fusion: 'rrf',
    final_top_k: RANKS,
  })

  const objects = documents.flatMap(({ _id, title, text }) => {
    const content = `${title}\n${text}`.trim()
    return content === '' ? [] : [{ content, number: Number(_id) }]
  })
  const start_ms = performance.now()
  const object_ids = await createObjects(client, bucket_id, objects)
  const created_s = (performance.now() - start_ms) / 1000
  const { status, took_s } = await process(client, bucket_id, object_ids)
  if (status !== 'COMPLETED') throw new Error(`The batch ended ${status}.`)
  report.add({
    what: 'objects created, 100 a request, 1 client',
    value: objects.length / created_s,
    unit: '/s',
  })
  report.add({
    what: 'documents from submit to the end of the batch',
    value: objects.length / took_s,
    unit: '/s',
    note: 'whole abstracts, about 200 tokens each',
  })
}

async function measure(
  client: Client,
  kind: Kind,
  queries: Query[],
  judgements: Map<string, Map<string, number>>,
): Promise<Quality> {
  const latencies_ms: number[] = []
  const values: number[] = []
  for (const { _id, text } of queries) {
    const start_ms = performance.now()
    const { results } = await client.call<{ results: { number: number }[] }>(
      'POST',
      `/v1/retrievers/${kind}/execute`,
      { inputs: { query: text }, pagination: { method: 'offset', page_size: RANKS, page_number: 1 } },
    )
    latencies_ms.push(performance.now() - start_ms)
    const value = ndcg10(
      results.map(({ number }) => String(number)),
      judgements.get(_id) ?? new Map(),
    )
    if (value !== null) values.push(value)
  }
  return { ndcg: mean(values), latencies_ms }
}

function addQuality(report: Report, quality: Record<Kind, Quality>, baseline: Baseline | string): void {
  const figures = typeof baseline === 'string' ? null : baseline
  const peers = {
    keywords: { name: 'bm25s', value: figures?.bm25_ndcg10 },
    vectors: { name: 'sentence-transformers', value: figures?.dense_ndcg10 },
  }
  for (const kind of ['keywords', 'vectors'] as const) {
    const { name, value } = peers[kind]
    report.add({
      what: `${kind}: nDCG@10`,
      value: quality[kind].ndcg,
      ...(value !== undefined && { target: { min: value - TOLERANCE }, beside: { name, value } }),
    })
  }
  const better = Math.max(
    quality.keywords.ndcg,
    quality.vectors.ndcg,
    figures?.bm25_ndcg10 ?? 0,
    figures?.dense_ndcg10 ?? 0,
  )
  report.add({
    what: 'hybrid (rrf): nDCG@10',
    value: quality.hybrid.ndcg,
    target: { min: better },
    beside: { name: 'the best of the others', value: better },
  })
  for (const kind of KINDS)
    report.add({
      what: `${kind}: p50 of a query, 1 client`,
      value: percentile(quality[kind].latencies_ms, 0.5),
      unit: 'ms',
      note: `p95 ${percentile(quality[kind].latencies_ms, 0.95).toFixed(1)} ms`,
    })
  if (typeof baseline === 'string') report.note(`No independent library beside: ${baseline}.`)
  else
    report.note(
      `Beside: ${Object.entries(baseline.versions)
        .map((pair) => pair.join(' '))
        .join(', ')}.`,
    )
}
