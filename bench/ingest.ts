// How fast objects come in and become documents.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import sharp from 'sharp'
import { createModels } from '../src/platform/models/create-models.ts'
import { ceiling } from './support/ceiling.ts'
import { remove, temporaryFolder } from './support/cleanup.ts'
import { englishSource } from './support/english.ts'
import { load } from './support/load.ts'
import { createBucket, createCollection, createObjects, process as processBatch } from './support/pipeline.ts'
import { Report } from './support/report.ts'
import { scaled } from './support/scale.ts'
import { type BenchServer, ROOT, withServer } from './support/server.ts'
import { usageOf } from './support/usage.ts'

const SECONDS = scaled(8, 2)
const CLIENTS = 16
const BATCH = 100
const TEXT_BYTES = 1024
const TOKENS = 64
const TEXTS_WEIGHTLESS = scaled(20_000, 500)
const TEXTS_MODEL = scaled(3000, 200)
const PICTURES = scaled(240, 20)
/** 2 megapixels. */
const PICTURE = { width: 1600, height: 1250 }

export async function run(): Promise<void> {
  const report = new Report('ingest', 'Ingest: objects in, documents out')
  await addCreates(report)
  await addTexts(report, {
    label: 'texts to documents, weightless',
    env: { KURA_TEXT_MODEL: 'hash' },
    count: TEXTS_WEIGHTLESS,
    target: 5000,
  })
  await addTexts(report, {
    label: `texts of ${TOKENS} tokens to documents, MiniLM`,
    env: {},
    count: TEXTS_MODEL,
    target: 400,
    alone: await modelAlone(),
  })
  await addPictures(report)
  await report.finish()
}

/** Every body another text: equal bytes would be stored once. */
const objectOf = (n: number) => ({ text: `${n} `.padEnd(TEXT_BYTES, 'kura stores texts '), number: n })

async function addCreates(report: Report): Promise<void> {
  await withServer({ KURA_ENGINE_PROCESSES: '0' }, async ({ url, key, client, pid }) => {
    const bucket_id = await createBucket(client, 'objects', {
      text: { type: 'text' },
      number: { type: 'integer' },
    })
    const headers = { authorization: `Bearer ${key}` }
    const path = `${url}/v1/buckets/${bucket_id}/objects`
    const one = (n: number) => JSON.stringify(objectOf(n))
    const many = (n: number) =>
      JSON.stringify({ objects: Array.from({ length: BATCH }, (_, i) => objectOf(n * BATCH + i)) })
    const singles = await load({ url: path, headers, bodies: one, clients: CLIENTS, seconds: SECONDS, pid })
    const emptySingles = await ceiling({ bodies: one, clients: CLIENTS, seconds: SECONDS })
    report.add({
      what: `object creates, 1 KB text each, ${CLIENTS} clients, durable`,
      value: singles.rate,
      unit: '/s',
      target: { min: 5000 },
      beside: { name: 'empty handler, same bodies', value: emptySingles.rate },
      note: `p95 ${singles.p95_ms.toFixed(1)} ms; CPU ${singles.cpu_ms.toFixed(2)} ms each, empty handler ${emptySingles.cpu_ms.toFixed(2)} ms; durable SQLite inserts alone ${Math.round(durableInserts())}/s${failed(singles.failures)}`,
    })
    const batches = await load({
      url: `${path}/batch`,
      headers,
      bodies: many,
      clients: 4,
      seconds: SECONDS,
      pid,
    })
    const emptyBatches = await ceiling({ bodies: many, clients: 4, seconds: SECONDS })
    report.add({
      what: `objects created in requests of ${BATCH}, 4 clients, durable`,
      value: batches.rate * BATCH,
      unit: '/s',
      target: { min: 20_000 },
      beside: { name: 'empty handler, same bodies', value: emptyBatches.rate * BATCH },
      note: `p95 of a request ${batches.p95_ms.toFixed(1)} ms; CPU ${(batches.cpu_ms / BATCH).toFixed(3)} ms an object${failed(batches.failures)}`,
    })
  })
}

const failed = (count: number) => (count > 0 ? `; ${count} FAILED` : '')

/** One commit a row with synchronous=FULL: what the disk and SQLite alone allow. */
function durableInserts(): number {
  const folder = temporaryFolder()
  const db = new DatabaseSync(join(folder, 'ceiling.db'))
  db.exec('pragma journal_mode = wal; pragma synchronous = full; create table t (n integer, text text)')
  const insert = db.prepare('insert into t values (?, ?)')
  const { text } = objectOf(0)
  const start_ms = performance.now()
  let count = 0
  while (performance.now() - start_ms < 1000) insert.run(count++, text)
  const rate = count / ((performance.now() - start_ms) / 1000)
  db.close()
  remove(folder)
  return rate
}

type TextRun = {
  label: string
  env: Record<string, string>
  count: number
  target: number
  /** The model without Kura around it, on one thread. */
  alone?: { rate: number; cpu_ms: number }
}

async function addTexts(report: Report, { label, env, count, target, alone }: TextRun): Promise<void> {
  const rates: number[] = []
  for (const processes of [1, 2]) {
    const { rate, cpu_s } = await withServer({ ...env, KURA_ENGINE_PROCESSES: String(processes) }, (server) =>
      textsPerSecond(server, count),
    )
    rates.push(rate)
    report.add({
      what: `${label}, ${processes} engine ${processes === 1 ? 'process' : 'processes'}`,
      value: rate,
      unit: '/s',
      target: { min: target },
      ...(alone !== undefined && { beside: { name: 'the model alone, one thread', value: alone.rate } }),
      note: `CPU ${((cpu_s / count) * 1000).toFixed(2)} ms a text${alone ? `, the model alone ${alone.cpu_ms.toFixed(2)} ms` : ''}`,
    })
  }
  report.add({
    what: `${label}: two engine processes over one`,
    value: rates[1]! / rates[0]!,
    target: { min: 1.8 },
  })
}

async function textsPerSecond(
  { client, pid }: BenchServer,
  count: number,
): Promise<{ rate: number; cpu_s: number }> {
  const bucket_id = await createBucket(client, 'texts', { text: { type: 'text' } })
  await createCollection(client, 'texts', bucket_id, {
    feature_extractor_name: 'text_extractor',
    input_mappings: { text: 'text' },
  })
  const text = englishSource(1, TOKENS)
  const objects = (from: number, size: number) =>
    Array.from({ length: size }, (_, i) => ({ text: `${from + i} ${text()}` }))
  // A first small batch starts the engine and loads the model, which happens once in a server's life.
  await completed(client, bucket_id, await createObjects(client, bucket_id, objects(0, 64)))
  const object_ids = await createObjects(client, bucket_id, objects(64, count))
  const before_s = usageOf(pid)?.cpu_s ?? Number.NaN
  const took_s = await completed(client, bucket_id, object_ids)
  return { rate: count / took_s, cpu_s: (usageOf(pid)?.cpu_s ?? Number.NaN) - before_s }
}

async function completed(
  client: BenchServer['client'],
  bucket_id: string,
  object_ids: string[],
): Promise<number> {
  const { status, took_s, failures } = await processBatch(client, bucket_id, object_ids)
  if (status !== 'COMPLETED') throw new Error(`The batch ended ${status}: ${failures[0]?.reason ?? ''}`)
  return took_s
}

async function modelAlone(): Promise<{ rate: number; cpu_ms: number }> {
  const models = createModels({
    run: 'in_process',
    models_path: join(ROOT, 'models'),
    text_model: 'all-minilm-l6-v2',
    threads: 1,
  })
  const model = await models.embedding('text')
  const text = englishSource(2, TOKENS)
  const embed = (count: number) =>
    model.embed(
      Array.from({ length: count }, () => ({ text: text() })),
      { purpose: 'document' },
    )
  await embed(32)
  const count = scaled(600, 100)
  const start_ms = performance.now()
  const before = process.cpuUsage()
  await embed(count)
  const { user, system } = process.cpuUsage(before)
  const rate = count / ((performance.now() - start_ms) / 1000)
  await models.close()
  return { rate, cpu_ms: (user + system) / 1000 / count }
}

async function addPictures(report: Report): Promise<void> {
  const pictures = await Promise.all(Array.from({ length: 12 }, (_, i) => makePicture(i)))
  const alone = await thumbnailsPerSecond(pictures)
  await withServer({}, async ({ client }) => {
    const bucket_id = await createBucket(client, 'pictures', {
      image: { type: 'image' },
      number: { type: 'integer' },
    })
    await createCollection(client, 'pictures', bucket_id, {
      feature_extractor_name: 'image_extractor',
      input_mappings: { image: 'image' },
    })
    const base64 = pictures.map((picture) => picture.toString('base64'))
    const objects = (count: number) =>
      Array.from({ length: count }, (_, number) => ({
        number,
        blobs: [{ property: 'image', type: 'image', data: { base64: base64[number % base64.length]! } }],
      }))
    await completed(client, bucket_id, await createPictures(client, bucket_id, objects(12)))
    const object_ids = await createPictures(client, bucket_id, objects(PICTURES))
    report.add({
      what: 'pictures of 2 MP to thumbnail and vector, 1 engine process',
      value: PICTURES / (await completed(client, bucket_id, object_ids)),
      unit: '/s',
      target: { min: 60 },
      beside: { name: 'sharp alone: decode, 640 px JPEG', value: alone },
    })
  })
}

/** In small requests: a hundred pictures at once would be a body of 100 MB. */
async function createPictures(
  client: BenchServer['client'],
  bucket_id: string,
  objects: unknown[],
): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < objects.length; i += 20)
    ids.push(...(await createObjects(client, bucket_id, objects.slice(i, i + 20))))
  return ids
}

/** Soft shapes with some grain, which compress about as well as a photograph. */
async function makePicture(i: number): Promise<Buffer> {
  const { width, height } = PICTURE
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <defs><linearGradient id="g" gradientTransform="rotate(${i * 30})">
      <stop offset="0" stop-color="hsl(${i * 30},70%,40%)"/><stop offset="1" stop-color="hsl(${i * 30 + 90},60%,70%)"/>
    </linearGradient></defs>
    <rect width="100%" height="100%" fill="url(#g)"/>
    <circle cx="${300 + i * 80}" cy="${200 + i * 60}" r="${180 + i * 10}" fill="hsl(${i * 50},50%,50%)"/>
  </svg>`
  const noise = {
    create: {
      width,
      height,
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: 18 },
    },
  } as const
  const grain = await sharp(noise).png().toBuffer()
  return sharp(Buffer.from(svg))
    .composite([{ input: grain, blend: 'soft-light' }])
    .jpeg({ quality: 85 })
    .toBuffer()
}

async function thumbnailsPerSecond(pictures: Buffer[]): Promise<number> {
  const before = sharp.concurrency()
  sharp.concurrency(1)
  const start_ms = performance.now()
  for (const picture of pictures) await sharp(picture).resize(640).jpeg({ quality: 85 }).toBuffer()
  const rate = pictures.length / ((performance.now() - start_ms) / 1000)
  sharp.concurrency(before)
  return rate
}
