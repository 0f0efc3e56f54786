import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import type { Dialect } from '../../src/platform/db/db.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { makePng } from '../support/media.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

async function fixture(t: TestContext, dialect: Dialect, environment: Record<string, string> = {}) {
  const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash', ...environment })
  t.after(app.close)
  return { app, request: app.request, make: ingestFixture(app) }
}

/** A server whose answers come from the list, the last one for ever. */
async function webServer(t: TestContext, statuses: number[], body: Uint8Array) {
  const answered: number[] = []
  const server = createServer((request, response) => {
    if (request.method === 'HEAD') return response.writeHead(200, { 'content-type': 'image/png' }).end()
    const status = statuses[Math.min(answered.length, statuses.length - 1)]!
    answered.push(status)
    response.writeHead(status, { 'content-type': 'image/png' }).end(status === 200 ? body : 'no')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  return { url: `http://127.0.0.1:${port}/picture.png`, answered }
}

async function pictures(make: ReturnType<typeof ingestFixture>) {
  const bucket_id = await make.bucket({}, { picture: { type: 'image' } })
  const collection_id = await make.collection(
    'pictures',
    { type: 'bucket', bucket_ids: [bucket_id] },
    { feature_extractor_name: 'image_extractor', input_mappings: { image: 'picture' } },
  )
  return { bucket_id, collection_id }
}

const PRIVATE = { KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' }

for (const dialect of DIALECTS) {
  test(`a file that is only referred to is fetched when it is processed, and again when its server was busy (${dialect})`, async (t) => {
    const { make } = await fixture(t, dialect, PRIVATE)
    const { bucket_id, collection_id } = await pictures(make)
    const { url, answered } = await webServer(t, [503, 429, 200], await makePng(64, 48))
    const blobs = [{ property: 'picture', type: 'image', data: url }]
    const ids = await make.objects(bucket_id, [{ blobs, canonicalize_source: false }])
    const batch = await make.process(bucket_id, ids)
    assert.equal(batch.status, 'COMPLETED', JSON.stringify(batch.tier_tasks))
    assert.deepEqual(answered, [503, 429, 200])
    const [document] = await make.documents(collection_id)
    assert.match(document.thumbnail_url, /^kura:\/\/files\/file_/)
    const roles = document.document_blobs.map(({ role }: { role: string }) => role).sort()
    assert.deepEqual(roles, ['source', 'thumbnail'])
  })

  test(`a server that stays busy is a transient failure, a missing file a permanent one (${dialect})`, async (t) => {
    const { request, make } = await fixture(t, dialect, PRIVATE)
    const { bucket_id } = await pictures(make)
    const busy = await webServer(t, [503], new Uint8Array())
    const gone = await webServer(t, [404], new Uint8Array())
    const object = (url: string) => ({
      blobs: [{ property: 'picture', type: 'image', data: url }],
      canonicalize_source: false,
    })
    const ids = await make.objects(bucket_id, [object(busy.url), object(gone.url)])
    const batch = await make.process(bucket_id, ids)
    assert.equal(batch.status, 'FAILED')
    assert.deepEqual(batch.error_summary, { network: 1, validation: 1 })
    assert.equal(busy.answered.length, 3)
    assert.equal(gone.answered.length, 1)
    const path = `/v1/buckets/${bucket_id}/batches/${batch.batch_id}`
    const { body } = await request('GET', `${path}/failed-documents`)
    const byObject = new Map(
      body.results.map((one: { object_id: string; is_transient: boolean }) => [
        one.object_id,
        one.is_transient,
      ]),
    )
    assert.deepEqual([byObject.get(ids[0]), byObject.get(ids[1])], [true, false])
    const retried = await request('POST', `${path}/retry`)
    assert.deepEqual([retried.body.retried_count, retried.body.skipped_count], [1, 1])
  })

  test(`rows fail for want of a dependency when the model behind an index has changed, and the index stays pure (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    await make.process(bucket_id, await make.objects(bucket_id, [{ body: 'first' }]))
    await app.deps.db.updateTable('vector_indexes').set({ model_fingerprint: 'another model' }).execute()
    const batch = await make.process(bucket_id, await make.objects(bucket_id, [{ body: 'second' }]))
    assert.equal(batch.status, 'FAILED')
    assert.deepEqual(batch.error_summary, { dependency: 1 })
    assert.ok(batch.tier_tasks[0].errors[0].recovery_suggestion)
    assert.equal((await make.documents(texts)).length, 1)
    const failed = await request('GET', `/v1/buckets/${bucket_id}/batches/${batch.batch_id}/failed-documents`)
    assert.equal(failed.body.results[0].is_transient, false)
  })

  test(`generated files live and die with their document (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket(
      { unique_key: { fields: ['title'], default_policy: 'upsert' } },
      { picture: { type: 'image' } },
    )
    const collection_id = await make.collection(
      'pictures',
      { type: 'bucket', bucket_ids: [bucket_id] },
      { feature_extractor_name: 'image_extractor', input_mappings: { image: 'picture' } },
    )
    const object = async (width: number) => ({
      title: 'one',
      blobs: [
        {
          property: 'picture',
          type: 'image',
          data: { base64: Buffer.from(await makePng(width, 40)).toString('base64'), mime_type: 'image/png' },
        },
      ],
    })
    const { db } = app.deps
    const owned = () =>
      db.selectFrom('file_references').select('file_id').where('owner_type', '=', 'document').execute()
    const [id] = await make.objects(bucket_id, [await object(50)])
    await make.process(bucket_id, [id!])
    const [first] = await owned()
    await make.objects(bucket_id, [await object(60)])
    await make.process(bucket_id, [id!])
    const [second, ...more] = await owned()
    assert.equal(more.length, 0)
    assert.notEqual(second!.file_id, first!.file_id)
    const files = await db
      .selectFrom('files')
      .select('file_id')
      .where('file_id', '=', first!.file_id)
      .execute()
    assert.equal(files.length, 0, 'the thumbnail that was replaced is gone')
    await make.ok(request('DELETE', `/v1/collections/${collection_id}`))
    assert.equal((await owned()).length, 0)
  })

  test(`auto_process takes an object all the way (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const created = await make.ok(
      request('POST', `/v1/buckets/${bucket_id}/objects?auto_process=true`, { body: { body: 'hello' } }),
    )
    assert.match(created.batch_id, /^btch_/)
    const { drainQueue } = await import('../support/drain-queue.ts')
    await drainQueue(app.deps)
    assert.equal((await request('GET', `/v1/tasks/${created.task_id}`)).body.status, 'COMPLETED')
    assert.equal((await make.documents(texts)).length, 1)
  })
}
