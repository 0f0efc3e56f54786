// Kills the API and the engine without warning, again and again, while objects and files come in and
// are processed and a webhook is told of it, and looks at the end whether everything that was promised
// is there, once. It speaks HTTP and the command line only. KURA_TEST_KILLS sets the number of kills
// (default 200), KURA_TEST_OBJECTS that of objects (default 2000).
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  age,
  awaitBatches,
  awaitEvents,
  checkBucket,
  checkDocuments,
  checkFiles,
  storedFiles,
} from './crash/checks.ts'
import { Receiver } from './crash/receiver.ts'
import { call, freePort, Server } from './crash/server.ts'
import { Acknowledged, ingestObjects, uploadFiles } from './crash/workload.ts'

const KILLS = Number(process.env.KURA_TEST_KILLS ?? 200)
const OBJECTS = Number(process.env.KURA_TEST_OBJECTS ?? 2000)
/** Of all kills; the rest hit engine processes. */
const API_SHARE = 0.3

test(`nothing that was acknowledged is lost or doubled over ${KILLS} kills`, {
  timeout: 3_600_000,
}, async (t) => {
  if (process.platform !== 'linux')
    return t.skip('engine processes are found through /proc, which is Linux only')
  const home = mkdtempSync(join(tmpdir(), 'kura-crash-'))
  const server = new Server(home, await freePort())
  const receiver = new Receiver()
  t.after(async () => {
    await server.stop()
    receiver.stop()
    rmSync(home, { recursive: true, force: true })
  })
  const began = performance.now()
  await server.start()
  await call(server, 'POST', '/organizations/webhooks', {
    webhook_name: 'all',
    event_types: ['object.created', 'collection.documents.written'],
    channels: [{ channel: 'webhook', configs: { url: await receiver.start() } }],
  })
  const notes = await makeBucket(server, 'notes', 'body', {
    bucket_schema: { properties: { sku: { type: 'string' }, body: { type: 'text' } } },
    unique_key: { fields: ['sku'], default_policy: 'upsert' },
  })
  const files = await makeBucket(server, 'files', 'content', {
    bucket_schema: { properties: { number: { type: 'number' }, content: { type: 'text' } } },
  })

  const acknowledged = new Acknowledged()
  const kills = { api: 0, engine: 0 }
  const isDone = () => kills.api + kills.engine >= KILLS
  await Promise.all([
    ingestObjects(server, acknowledged, { ...notes, count: OBJECTS, isDone }),
    uploadFiles(server, acknowledged, { ...files, isDone }),
    killAgainAndAgain(server, kills, isDone),
  ])
  const killed_ms = performance.now() - began

  const { objects, uploads, batches } = acknowledged
  const ended = await awaitBatches(server, batches)
  await awaitEvents(receiver, acknowledged, ended)
  const settled_ms = performance.now() - began
  await checkBucket(server, notes.bucket_id, { objects: OBJECTS, batches })
  await checkBucket(server, files.bucket_id, { objects: uploads.length, batches })
  const uploaded = uploads.map(({ object_id }) => object_id)
  for (const id of notes.collection_ids) await checkDocuments(server, id, [...objects.values()])
  for (const id of files.collection_ids) await checkDocuments(server, id, uploaded)
  await checkFiles(server, files.bucket_id, acknowledged)

  await server.stop()
  const remains = storedFiles(home).length - uploads.length
  age(home)
  const repair = server.doctor('--repair')
  assert.equal(repair.status, 0, repair.output)
  assert.equal(storedFiles(home).length, uploads.length, 'after the sweep only what is named has bytes')
  const { status, output } = server.doctor()
  assert.equal(status, 0, `everything agrees: ${output}`)
  console.log(
    JSON.stringify({
      kills,
      objects: OBJECTS,
      uploads: uploads.length,
      batches: batches.length,
      events: receiver.events.size,
      repeated_deliveries: receiver.deliveries - receiver.events.size,
      remains_swept: remains,
      kill_phase_seconds: Math.round(killed_ms / 1000),
      settled_after_seconds: Math.round((settled_ms - killed_ms) / 1000),
      slowest_start_ms: Math.round(server.start_ms_max),
    }),
  )
})

/** A bucket, a collection that embeds its `input`, and one that copies the documents of that. */
async function makeBucket(
  server: Server,
  bucket_name: string,
  input: string,
  bucket: object,
): Promise<{ bucket_id: string; collection_ids: string[] }> {
  const { bucket_id } = await call(server, 'POST', '/buckets', { bucket_name, ...bucket })
  const collection = async (name: string, source: unknown, extractor: object) => {
    const body = {
      collection_name: `${bucket_name}-${name}`,
      source,
      feature_extractor: { version: 'v1', ...extractor },
    }
    return (await call(server, 'POST', '/collections', body)).collection_id as unknown as string
  }
  const texts = await collection(
    'texts',
    { type: 'bucket', bucket_ids: [bucket_id] },
    { feature_extractor_name: 'text_extractor', input_mappings: { text: input } },
  )
  const copies = await collection(
    'copies',
    { type: 'collection', collection_id: texts },
    { feature_extractor_name: 'passthrough_extractor' },
  )
  return { bucket_id: bucket_id as unknown as string, collection_ids: [texts, copies] }
}

async function killAgainAndAgain(
  server: Server,
  kills: { api: number; engine: number },
  isDone: () => boolean,
): Promise<void> {
  while (!isDone()) {
    await sleep(20 + Math.random() * 380)
    const engines = server.engines()
    if (Math.random() < API_SHARE) {
      await server.killApi()
      kills.api++
      await server.start()
    } else if (engines.length > 0) {
      try {
        process.kill(engines[Math.floor(Math.random() * engines.length)]!, 'SIGKILL')
        kills.engine++
      } catch {
        // It ended by itself in between; that is no kill.
      }
    }
  }
}
