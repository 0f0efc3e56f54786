// Every picture of the test data through the image extractor, and a search by picture.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '../src/cli/client.ts'
import { line } from '../src/cli/output.ts'
import { dataFolder } from './support/data.ts'
import {
  createBucket,
  createCollection,
  createObjects,
  createRetriever,
  process,
} from './support/pipeline.ts'
import { Report } from './support/report.ts'
import { withServer } from './support/server.ts'

const IMAGE = 'mixpeek://image_extractor@v1/google_siglip_base_v1'
const QUERY = 'chelsea.png'
const DAMAGED = 'bad-truncated.jpg'
const TEXTURES = ['brick.png', 'grass.png', 'gravel.png']
/** Pictures of things and people; the rest are scans, drawings, sky and medicine. */
const PHOTOGRAPHS = [
  'astronaut.png',
  'camera.png',
  'coffee.png',
  'motorcycle_left.png',
  'motorcycle_right.png',
  'rocket.jpg',
]

type Hit = { name: string; score: number; thumbnail_url?: string }

export async function run(): Promise<void> {
  const report = new Report('images', 'Pictures: ingest all, search by picture')
  const folder = dataFolder('images')
  const names = (await readdir(folder)).sort()
  await withServer({}, async ({ client }) => {
    await ingest(report, client, folder, names)
    const base64 = (await readFile(join(folder, QUERY))).toString('base64')
    const { results } = await client.call<{ results: Hit[] }>('POST', '/v1/retrievers/look-alikes/execute', {
      inputs: { image: { base64 } },
      pagination: { method: 'offset', page_size: 100, page_number: 1 },
    })
    addRanking(report, results)
  })
  await report.finish()
}

async function ingest(report: Report, client: Client, folder: string, names: string[]): Promise<void> {
  const bucket_id = await createBucket(client, 'images', {
    image: { type: 'image' },
    name: { type: 'string' },
  })
  await createCollection(client, 'images', bucket_id, {
    feature_extractor_name: 'image_extractor',
    input_mappings: { image: 'image' },
    field_passthrough: [{ source_path: 'name' }],
  })
  await createRetriever(client, 'look-alikes', 'images', {
    inputs: { image: { type: 'image' } },
    searches: [
      { feature_uri: IMAGE, query: { input_mode: 'content', value: '{{INPUT.image}}' }, top_k: 100 },
    ],
    final_top_k: 100,
  })
  const objects = await Promise.all(
    names.map(async (name) => {
      const base64 = (await readFile(join(folder, name))).toString('base64')
      return { name, blobs: [{ property: 'image', type: 'image', data: { base64, filename: name } }] }
    }),
  )
  const object_ids = await createObjects(client, bucket_id, objects)
  const { status, failures, took_s } = await process(client, bucket_id, object_ids)
  const damaged = object_ids[names.indexOf(DAMAGED)]
  const reasons = failures.filter(({ object_id }) => object_id === damaged)
  report.add({
    what: `failed rows of ${names.length}`,
    value: failures.length,
    target: { max: 1 },
    note: `batch ${status}; ${DAMAGED}: ${reasons[0]?.reason ?? 'did not fail'}`,
  })
  report.add({
    what: 'pictures from submit to the end of the batch',
    value: names.length / took_s,
    unit: '/s',
  })
}

function addRanking(report: Report, results: Hit[]): void {
  line(`Ranking for ${QUERY}:`)
  for (const [i, { name, score }] of results.entries())
    line(`  ${String(i + 1).padStart(2)}  ${score.toFixed(3)}  ${name}  ${kindOf(name)}`)
  const rankOf = (name: string) => results.findIndex((hit) => hit.name === name) + 1
  report.add({ what: `rank of ${QUERY} for itself`, value: rankOf(QUERY), target: { max: 1 } })
  const firstTexture = Math.min(...TEXTURES.map(rankOf))
  const before = PHOTOGRAPHS.filter((name) => rankOf(name) < firstTexture).length
  report.add({
    what: 'other photographs before the first texture',
    value: before,
    target: { min: PHOTOGRAPHS.length },
    beside: { name: 'of', value: PHOTOGRAPHS.length },
  })
}

function kindOf(name: string): string {
  if (TEXTURES.includes(name)) return '(texture)'
  return PHOTOGRAPHS.includes(name) || name === QUERY ? '(photograph)' : ''
}
