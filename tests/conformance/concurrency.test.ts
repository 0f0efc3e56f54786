import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { examine } from '../../src/doctor/examine.ts'
import { removeDocuments } from '../../src/engine/ingest/remove-documents.ts'
import { createJobHandlers } from '../../src/engine.ts'
import { inTransaction } from '../../src/platform/db/db.ts'
import { newWorkerId, Worker } from '../../src/worker.ts'
import { makeTenant, searchStage, type Tenant } from '../support/tenant.ts'
import { DIALECTS, type TestApp, type TestResponse, testApp } from '../support/test-app.ts'

/** KURA_TEST_CONCURRENCY_MS=20000 looks longer. */
const DURATION_MS = Number(process.env.KURA_TEST_CONCURRENCY_MS ?? 4000)
const CLIENTS = 24

type Method = Parameters<TestApp['request']>[0]

/** Clients that create, change, process, search and delete the same few resources without looking left or right. */
async function crowd(app: TestApp, world: Tenant, duration_ms: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>()
  const buckets = [world.bucket_id]
  const collections = [world.collection_id]
  const objects: [bucket: string, object: string][] = [[world.bucket_id, world.object_id]]
  const batches: [bucket: string, batch: string][] = [[world.bucket_id, world.draft_batch_id]]
  const documents: [collection: string, document: string][] = [[world.collection_id, world.document_id]]
  let seed = 1
  let count = 0

  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((seed / 2 ** 31) * n)
  }
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!
  const send = async (method: Method, url: string, body?: unknown): Promise<TestResponse> => {
    const answer = await app.request(method, `/v1${url}`, { namespace: world.namespace_id, body })
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    assert.ok(answer.status < 500, `${method} ${url} ${JSON.stringify(answer.body)}`)
    return answer
  }
  const batchUrl = ([bucket, batch]: [string, string]) => `/buckets/${bucket}/batches/${batch}`
  const objectUrl = ([bucket, object]: [string, string]) => `/buckets/${bucket}/objects/${object}`
  const documentUrl = ([collection, document]: [string, string]) =>
    `/collections/${collection}/documents/${document}`

  const steps: (() => Promise<unknown>)[] = [
    async () => {
      const bucket_schema = { properties: { title: { type: 'string' }, body: { type: 'text' } } }
      const { status, body } = await send('POST', '/buckets', { bucket_name: `b${random(6)}`, bucket_schema })
      if (status === 200) buckets.push(body.bucket_id)
    },
    async () => {
      const bucket = pick(buckets)
      const { status, body } = await send('POST', `/buckets/${bucket}/objects`, {
        title: `t${count++}`,
        body: 'zebra',
      })
      if (status === 200) objects.push([bucket, body.object_id])
    },
    async () => {
      const bucket = pick(buckets)
      const some = Array.from({ length: 5 }, () => ({ title: `t${count++}`, body: 'lion' }))
      const { status, body } = await send('POST', `/buckets/${bucket}/objects/batch`, { objects: some })
      if (status === 200) for (const one of body.succeeded) objects.push([bucket, one.object_id])
    },
    () => send('PATCH', objectUrl(pick(objects)), { title: `t${count++}` }),
    () => send('DELETE', objectUrl(pick(objects))),
    async () => {
      const bucket = pick(buckets)
      const object_ids = objects.filter(([own]) => own === bucket).map(([, id]) => id)
      if (object_ids.length === 0) return
      const { status, body } = await send('POST', `/buckets/${bucket}/batches`, {
        object_ids: object_ids.slice(-8),
      })
      if (status === 200) batches.push([bucket, body.batch_id])
    },
    () => send('POST', `${batchUrl(pick(batches))}/submit`),
    () => send('POST', `${batchUrl(pick(batches))}/submit`),
    () => send('POST', `${batchUrl(pick(batches))}/cancel`),
    () => send('POST', `${batchUrl(pick(batches))}/retry`),
    async () => random(3) === 0 && send('DELETE', batchUrl(pick(batches))),
    async () => {
      const { status, body } = await send('POST', '/collections', {
        collection_name: `texts-${random(8)}`,
        source: { type: 'bucket', bucket_ids: [pick(buckets)] },
        feature_extractor: { feature_extractor_name: 'text_extractor', input_mappings: { text: 'body' } },
      })
      if (status === 200) collections.push(body.collection_id)
    },
    async () =>
      collections.length > 2 && random(4) === 0 && send('DELETE', `/collections/${pick(collections)}`),
    async () => buckets.length > 2 && random(6) === 0 && send('DELETE', `/buckets/${pick(buckets.slice(1))}`),
    async () => {
      const collection = pick(collections)
      const { status, body } = await send('POST', `/collections/${collection}/documents`, { text: 'tiger' })
      if (status === 200) documents.push([collection, body.document_id])
    },
    () => send('PATCH', documentUrl(pick(documents)), { text: `t${count++}` }),
    () => send('DELETE', documentUrl(pick(documents))),
    async () => {
      const { body } = await send('POST', `/collections/${pick(collections)}/documents/list`, { limit: 50 })
      for (const one of body.results ?? []) documents.push([one.collection_id, one.document_id])
    },
    () =>
      send('POST', '/retrievers/execute', {
        collection_identifiers: [pick(collections)],
        stages: [searchStage('zebra')],
      }),
    () => send('POST', '/buckets/list', { search: 'b' }),
    () => send('PATCH', `/buckets/${pick(buckets)}`, { description: `d${count++}` }),
  ]
  const until_ms = performance.now() + duration_ms
  const client = async () => {
    while (performance.now() < until_ms) await pick(steps)()
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return statuses
}

for (const dialect of DIALECTS) {
  test(`a crowd that changes and deletes the same things gets no 500 and leaves everything in order (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    const world = await makeTenant(app, { name: 'crowd', mark: 'crowd' })
    const { db, queue, logger } = app.deps
    const handlers = createJobHandlers(app.deps, { retry_delay_ms: 1 })
    const workers = [1, 2].map(() => new Worker({ worker_id: newWorkerId(), queue, handlers, logger }))
    for (const worker of workers) worker.start()
    t.after(async () => {
      for (const worker of workers) await worker.stop()
      await app.close()
    })
    const statuses = await crowd(app, world, DURATION_MS)
    assert.ok((statuses.get(200) ?? 0) > 10, JSON.stringify([...statuses]))

    // A deleted collection leaves a job for later that has nothing to do any more, and a sync looks again later.
    const later = ['delete_collection', 'run_sync']
    const open = () =>
      db.selectFrom('jobs').select(['kind', 'last_error']).where('kind', 'not in', later).execute()
    for (let waited = 0; waited < 300 && (await open()).length > 0; waited++) await sleep(100)
    assert.deepEqual(await open(), [])
    const running = await db
      .selectFrom('batches')
      .select(['batch_id', 'status'])
      .where('status', 'in', ['PENDING', 'IN_PROGRESS'])
      .execute()
    assert.deepEqual(running, [])
    const findings = await examine(app.deps, { repair: false })
    assert.deepEqual(
      findings.filter(({ problems }) => problems > 0),
      [],
    )
  })

  test(`a document that two remove at once is counted out once (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { collection_id, namespace_id } = await makeTenant(app, { name: 'once', mark: 'once' })
    const scope = { organizationId: app.deps.bootstrap.organizationId, namespaceId: namespace_id }
    const documents = await app.deps.db
      .selectFrom('documents')
      .select(['document_id', 'document_seq', 'collection_id'])
      .where('namespace_id', '=', namespace_id)
      .execute()
    // Both have found it before either removes it.
    await Promise.all(
      [1, 2].map(() =>
        inTransaction(app.deps.db, (trx) => removeDocuments(trx, scope, app.deps.files, documents)),
      ),
    )
    const collection = await app.deps.db
      .selectFrom('collections')
      .select('document_count')
      .where('collection_id', '=', collection_id)
      .executeTakeFirst()
    assert.equal(collection?.document_count, 0)
  })
}
