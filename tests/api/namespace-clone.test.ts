import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import type { Deps } from '../../src/deps.ts'
import { type Db, dialect as dialectOf, openDb, type Trx } from '../../src/platform/db/db.ts'
import { DbQueue } from '../../src/platform/queue/db-queue.ts'
import { type Job, LeaseLostError } from '../../src/platform/queue/queue.ts'
import { cloneNamespaceJob } from '../../src/resources/namespaces/index.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { makeOrganization, makeTenant, searchStage, type Tenant } from '../support/tenant.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const LARGE = 'large '.repeat(40_000)

/** Tables whose rows a clone gets copies of. A new table with a namespace must be in one of the lists. */
const CLONED = [
  'bucket_search',
  'bucket_totals',
  'buckets',
  'collection_sources',
  'collections',
  'documents',
  'file_references',
  'files',
  'lexical_indexes',
  'namespaces',
  'objects',
  'retrievers',
  'vector_indexes',
]
const NOT_CLONED = [
  'batch_logs',
  'batch_objects',
  'batch_tier_collections',
  'batch_tiers',
  'batches',
  'filter_uses',
  'jobs',
  'outbox_events',
  'row_failures',
  'source_adapter_events',
  'source_adapter_objects',
  'source_adapters',
  'sync_items',
  'sync_runs',
  'syncs',
  'tasks',
  'uploads',
]

type Source = Tenant & {
  keyed_bucket_id: string
  keyed_collection_id: string
  second_collection_id: string
  large_object_id: string
}

/** A namespace with two buckets (one with a unique key), three collections over two tiers, files in and out of rows. */
async function makeSource(app: TestApp): Promise<Source> {
  const tenant = await makeTenant(app, { name: 'source', mark: 'zebra' })
  const ok = async (url: string, body?: unknown) => {
    const answer = await app.request('POST', `/v1${url}`, { body, namespace: 'source' })
    assert.equal(answer.status, 200, `${url}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const { object_id: large_object_id } = await ok(`/buckets/${tenant.bucket_id}/objects`, {
    title: 'large',
    body: LARGE,
    remark: `says ${tenant.bucket_id} and doc_type`,
  })
  const { bucket_id: keyed_bucket_id } = await ok('/buckets', {
    bucket_name: 'keyed',
    description: 'With a key',
    metadata: { region: 'north' },
    bucket_schema: { properties: { sku: { type: 'string', required: true }, body: { type: 'text' } } },
    unique_key: { fields: ['sku'], default_policy: 'upsert' },
  })
  const extractor = {
    feature_extractor_name: 'text_extractor',
    version: 'v1',
    input_mappings: { text: 'body' },
    field_passthrough: [{ source_path: 'sku' }, { source_path: 'body' }],
  }
  const { collection_id: keyed_collection_id } = await ok('/collections', {
    collection_name: 'keyed',
    source: { type: 'bucket', bucket_ids: [keyed_bucket_id] },
    feature_extractor: extractor,
  })
  const { collection_id: second_collection_id } = await ok('/collections', {
    collection_name: 'second tier',
    source: { type: 'collection', collection_ids: [keyed_collection_id] },
    feature_extractor: extractor,
  })
  const object_ids: string[] = []
  for (const sku of ['a', 'b', 'c']) {
    const body = `The zebra number ${sku} grazes.`
    object_ids.push((await ok(`/buckets/${keyed_bucket_id}/objects`, { sku, body })).object_id)
  }
  await processAll(app, 'source', keyed_bucket_id, object_ids)
  return { ...tenant, keyed_bucket_id, keyed_collection_id, second_collection_id, large_object_id }
}

async function processAll(app: TestApp, namespace: string, bucket_id: string, object_ids: string[]) {
  const { request, deps } = app
  const { body } = await request('POST', `/v1/buckets/${bucket_id}/batches`, {
    body: { object_ids },
    namespace,
  })
  const answer = await request('POST', `/v1/buckets/${bucket_id}/batches/${body.batch_id}/submit`, {
    namespace,
  })
  assert.equal(answer.status, 200)
  await drainQueue(deps)
}

async function startClone({ request }: TestApp, body: object = {}) {
  const answer = await request('POST', '/v1/namespaces/source/clone', {
    body: { namespace_name: 'copy', ...body },
  })
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body
}

const byJson = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

/** What a client sees of a namespace, by names and content instead of ids. */
async function contentsOf(app: TestApp, namespace: string) {
  const ask = async (method: 'GET' | 'POST', url: string, body?: unknown) => {
    const answer = await app.request(method, `/v1${url}`, { body, namespace })
    assert.equal(answer.status, 200, `${url}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const { results: buckets } = await ask('POST', '/buckets/list', { sort: { field: 'bucket_name' } })
  const objects = []
  for (const { bucket_id } of buckets) {
    const { results } = await ask('POST', `/buckets/${bucket_id}/objects/list`, {})
    for (const { object_id } of results) {
      const shown = await ask('GET', `/buckets/${bucket_id}/objects/${object_id}?return_presigned_urls=true`)
      const { title, sku, remark, created_at, updated_at, content_hash, blobs, status } = shown
      const bytes = []
      for (const { property, properties } of blobs) {
        const got = await app.app.inject({
          url: new URL(properties.presigned_url).pathname + new URL(properties.presigned_url).search,
        })
        assert.equal(got.statusCode, 200, `bytes of ${property}`)
        bytes.push([property, got.rawPayload.length])
      }
      objects.push({ title, sku, remark, created_at, updated_at, content_hash, status, bytes })
    }
  }
  const { results: collections } = await ask('POST', '/collections/list', {
    sort: { field: 'collection_name' },
  })
  const documents = []
  for (const { collection_id } of collections) {
    const { results } = await ask('POST', `/collections/${collection_id}/documents/list`, {})
    for (const { text, title, sku, created_at } of results) documents.push({ text, title, sku, created_at })
  }
  return {
    buckets: buckets.map((bucket: Record<string, unknown>) => {
      const { bucket_id: _id, batch_stats: _batches, stats_updated_at: _at, ...rest } = bucket
      return rest
    }),
    objects: objects.sort(byJson),
    collections: collections.map((one: Record<string, unknown>) => [one.collection_name, one.document_count]),
    documents: documents.sort(byJson),
  }
}

/** What searches find, as text and score; one saved in a retriever, one ad hoc over all collections. */
async function searches({ request }: TestApp, namespace: string) {
  const saved = await request('POST', '/v1/retrievers/retriever-zebra/execute', {
    body: { inputs: { query: 'a zebra' } },
    namespace,
  })
  assert.equal(saved.status, 200, JSON.stringify(saved.body))
  const adhoc = await request('POST', '/v1/retrievers/execute', {
    body: {
      collection_identifiers: ['keyed', 'second tier', 'collection-zebra'],
      stages: [searchStage('zebra grazes')],
      inputs: {},
    },
    namespace,
  })
  assert.equal(adhoc.status, 200, JSON.stringify(adhoc.body))
  const shown = ({ results }: { results: Record<string, unknown>[] }) =>
    // Equal scores are ranked by id, and ids differ.
    results.map(({ text, sku, score }) => ({ score, text, sku })).sort(byJson)
  const found = { saved: shown(saved.body.results ? saved.body : saved.body.data), adhoc: shown(adhoc.body) }
  assert.ok(found.saved.length > 0 && found.adhoc.length > 3)
  return found
}

/** Every row of a namespace as text, by table. */
async function rowsOf(db: Db, namespace_id: string): Promise<Map<string, string[]>> {
  const rows = new Map<string, string[]>()
  for (const table of CLONED) {
    const found = await sql`select * from ${sql.table(table)} where namespace_id = ${namespace_id}`.execute(
      db,
    )
    rows.set(table, found.rows.map((row) => JSON.stringify(row)).sort())
  }
  return rows
}

async function sourceIds(db: Db, namespace_id: string): Promise<string[]> {
  const ids: string[] = [namespace_id]
  const columns = {
    buckets: 'bucket_id',
    objects: 'object_id',
    collections: 'collection_id',
    documents: 'document_id',
    retrievers: 'retriever_id',
    files: 'file_id',
  }
  for (const [table, column] of Object.entries(columns)) {
    const { rows } = await sql<{ id: string }>`select ${sql.ref(column)} as id from ${sql.table(table)}
      where namespace_id = ${namespace_id}`.execute(db)
    ids.push(...rows.map(({ id }) => id))
  }
  const { rows } = await sql<{
    blobs: string
  }>`select blobs from objects where namespace_id = ${namespace_id}`.execute(db)
  for (const row of rows) ids.push(...JSON.parse(row.blobs).map((blob: { blob_id: string }) => blob.blob_id))
  return ids
}

for (const dialect of DIALECTS) {
  test(`a clone holds and finds the same under new ids, and outlives its source (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    const source = await makeSource(app)
    const [contents, found] = [await contentsOf(app, 'source'), await searches(app, 'source')]
    const rows_before = await rowsOf(deps.db, source.namespace_id)

    const started = await startClone(app, { description: 'A copy' })
    assert.equal(started.status, 'cloning')
    assert.equal(started.source_namespace_id, source.namespace_id)
    assert.deepEqual(
      [started.namespace.namespace_name, started.namespace.description, started.namespace.status],
      ['copy', 'A copy', 'PENDING'],
    )
    const { namespace_id } = started.namespace
    assert.notEqual(namespace_id, source.namespace_id)
    for (const refused of [
      await request('POST', '/v1/buckets', {
        body: { bucket_name: 'x', bucket_schema: { properties: {} } },
        namespace: 'copy',
      }),
      await request('PATCH', '/v1/namespaces/copy', { body: { description: 'x' } }),
      await request('POST', '/v1/namespaces/copy/clone', { body: { namespace_name: 'another' } }),
    ])
      assert.deepEqual([refused.status, refused.body.error.code], [409, 'namespace_cloning'])
    const kill = await request('DELETE', `/v1/tasks/${started.task_id}`)
    assert.equal(kill.status, 200, 'a clone is not abortable')

    await drainQueue(deps)
    const { body: task } = await request('GET', `/v1/tasks/${started.task_id}`)
    assert.deepEqual([task.task_type, task.status], ['api_namespaces_migrations_run', 'COMPLETED'])
    assert.deepEqual(task.outputs, [
      {
        namespace_id,
        cloned_resources: { collections: 3, retrievers: 1, taxonomies: 0, buckets: 2, objects: 6, points: 7 },
        warnings: [],
      },
    ])
    assert.deepEqual([task.additional_data.progress.processed, task.additional_data.progress.total], [13, 13])
    const { body: copy } = await request('GET', '/v1/namespaces/copy')
    assert.deepEqual(
      [copy.status, copy.bucket_count, copy.object_count, copy.collection_count, copy.document_count],
      ['ACTIVE', 2, 6, 3, 7],
    )

    assert.deepEqual(await contentsOf(app, 'copy'), contents)
    assert.deepEqual(await searches(app, 'copy'), found)
    assert.deepEqual(await rowsOf(deps.db, source.namespace_id), rows_before, 'the source is as it was')
    const copied = [...(await rowsOf(deps.db, namespace_id))].flatMap(([table, rows]) =>
      rows.map((row) => `${table} ${row.replace(/files\/ns_[^"]+/, '').replace(/says bkt_\w+/g, '')}`),
    )
    for (const id of await sourceIds(deps.db, source.namespace_id))
      for (const row of copied) assert.ok(!row.includes(id), `${id} of the source is in ${row}`)
    const kept = copied.find((row) => row.includes('doc_type'))
    assert.ok(kept, 'data of users that looks like an id stays as it is')

    await request('DELETE', '/v1/namespaces/source')
    await drainQueue(deps)
    assert.equal((await request('GET', '/v1/namespaces/source')).status, 404)
    await deps.files.sweepOrphans({ older_than_ms: -60_000 })
    assert.deepEqual(await contentsOf(app, 'copy'), contents)
    assert.deepEqual(await searches(app, 'copy'), found)

    await request('DELETE', '/v1/namespaces/copy')
    await drainQueue(deps)
    for await (const { key } of deps.blobs.list('files/')) assert.fail(`${key} was left`)
  })

  test(`the clone goes on by itself: unique keys, counters and collections work in it (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    await makeSource(app)
    await startClone(app)
    await drainQueue(deps)
    const namespace = 'copy'
    const list = async (url: string) =>
      (await request('POST', `/v1${url}`, { body: {}, namespace })).body.results
    const keyed = (await request('GET', '/v1/buckets/keyed', { namespace })).body
    const updated = await request('POST', `/v1/buckets/${keyed.bucket_id}/objects`, {
      body: { sku: 'a', body: 'Now an okapi.' },
      namespace,
    })
    assert.deepEqual(
      [updated.status, updated.body.created],
      [200, false],
      'the key of the copied object is taken',
    )
    const objects = await list('/buckets/keyed/objects/list')
    assert.equal(objects.length, 3)
    await processAll(
      app,
      'copy',
      keyed.bucket_id,
      objects.map(({ object_id }: { object_id: string }) => object_id),
    )
    for (const collection of ['keyed', 'second tier']) {
      const texts = (await list(`/collections/${collection}/documents/list`)).map(
        (one: { body: string }) => one.body,
      )
      assert.deepEqual(texts.sort(), [
        'Now an okapi.',
        'The zebra number b grazes.',
        'The zebra number c grazes.',
      ])
    }
    const still = await request('POST', '/v1/collections/keyed/documents/list', { namespace: 'source' })
    assert.ok(still.body.results.some((one: { body: string }) => one.body === 'The zebra number a grazes.'))
  })

  test(`collections and retrievers are left out when they are not wanted (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    const { bucket_id } = await makeSource(app)
    // Its files are not wanted then either.
    const { task_id } = await startClone(app, { include_resources: { collections: false } })
    const without_retrievers = await startClone(app, {
      namespace_name: 'plain',
      include_resources: { retrievers: false, taxonomies: true },
    })
    await drainQueue(deps)
    const [first, second] = [
      (await request('GET', `/v1/tasks/${task_id}`)).body.outputs[0],
      (await request('GET', `/v1/tasks/${without_retrievers.task_id}`)).body.outputs[0],
    ]
    assert.deepEqual(first.cloned_resources, {
      collections: 0,
      retrievers: 0,
      taxonomies: 0,
      buckets: 2,
      objects: 6,
      points: 0,
    })
    assert.deepEqual(first.warnings, [
      'Retriever "retriever-zebra" was left out: it reads collections that were not cloned.',
    ])
    assert.deepEqual(second.cloned_resources, {
      collections: 3,
      retrievers: 0,
      taxonomies: 0,
      buckets: 2,
      objects: 6,
      points: 7,
    })
    assert.equal((await request('GET', `/v1/buckets/${bucket_id}`)).status, 200)
  })

  test(`a clone shows the source as it was at one moment (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    const source = await makeSource(app)
    const contents = await contentsOf(app, 'source')
    await startClone(app)
    const job = (await deps.queue.lease('worker', 'transfer'))!
    let parts = 0
    await runClone(deps, job, async () => {
      parts += 1
      if (parts !== 6) return
      // The first bucket is being copied.
      const namespace = 'source'
      const objects = `/v1/buckets/${source.bucket_id}/objects`
      for (const answer of [
        await request('DELETE', `${objects}/${source.large_object_id}`, { namespace }),
        await request('POST', objects, { body: { title: 'late', body: 'Too late.' }, namespace }),
        await request('PATCH', `${objects}/${source.object_id}`, { body: { title: 'changed' }, namespace }),
        await request('DELETE', `/v1/collections/${source.second_collection_id}`, { namespace }),
        await request('DELETE', `/v1/buckets/${source.keyed_bucket_id}`, { namespace }),
      ])
        assert.ok(answer.status < 300, JSON.stringify(answer.body))
      await drainQueue(deps)
    })
    assert.ok(parts > 6)
    assert.deepEqual(await contentsOf(app, 'copy'), contents)
  })

  test(`a clone that is cut off anywhere starts anew and ends complete (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    await makeSource(app)
    const contents = await contentsOf(app, 'source')
    const { task_id, namespace } = await startClone(app)
    let is_done = false
    let cuts = 0
    for (; !is_done; cuts++) {
      const job = (await deps.queue.lease('worker', 'transfer'))!
      let left = cuts
      try {
        await runClone(deps, job, async () => {
          if (left-- === 0) throw new LeaseLostError(job.job_id)
        })
        is_done = true
      } catch (error) {
        assert.ok(error instanceof LeaseLostError, String(error))
        await deps.queue.release(job)
      }
      assert.ok(cuts < 200)
    }
    assert.ok(cuts > 10, `it was cut off at ${cuts} places`)
    assert.equal((await request('GET', `/v1/tasks/${task_id}`)).body.status, 'COMPLETED')
    assert.deepEqual(await contentsOf(app, 'copy'), contents)
    const { body: shown } = await request('GET', `/v1/namespaces/${namespace.namespace_id}`)
    assert.deepEqual([shown.object_count, shown.document_count], [6, 7])
    assert.equal(await deps.queue.lease('worker', 'transfer'), null)
  })

  test(`a clone that cannot be made leaves nothing but a failed task (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    const source = await makeSource(app)
    const rows_before = await rowsOf(deps.db, source.namespace_id)
    const { task_id, namespace } = await startClone(app)
    const job = (await deps.queue.lease('worker', 'transfer'))!
    const failing = () => {
      let parts = 0
      return async () => {
        parts += 1
        if (parts === 9) throw new Error('The disk is full.')
      }
    }
    await assert.rejects(runClone(deps, job, failing()), /disk is full/, 'it is tried again')
    await runClone(deps, { ...job, attempt: 3 }, failing())
    await drainQueue(deps)
    const { body: task } = await request('GET', `/v1/tasks/${task_id}`)
    assert.deepEqual([task.status, task.error], ['FAILED', 'The disk is full.'])
    assert.equal((await request('GET', `/v1/namespaces/${namespace.namespace_id}`)).status, 404)
    for (const [table, rows] of await rowsOf(deps.db, namespace.namespace_id))
      assert.deepEqual(rows, [], table)
    assert.deepEqual(await rowsOf(deps.db, source.namespace_id), rows_before)
    assert.equal((await startClone(app)).namespace.namespace_name, 'copy', 'the name is free again')
  })

  test(`a source that goes before the clone runs fails it at once; a clone can be deleted while it runs (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    await makeTenant(app, { name: 'source', mark: 'zebra' })
    const first = await startClone(app)
    const second = await startClone(app, { namespace_name: 'unwanted' })
    assert.equal((await request('DELETE', '/v1/namespaces/unwanted')).status, 200)
    assert.equal((await request('DELETE', '/v1/namespaces/source')).status, 200)
    const refused = await request('POST', '/v1/namespaces/source/clone', { body: { namespace_name: 'x' } })
    assert.deepEqual([refused.status, refused.body.error.code], [409, 'resource_deleting'])
    await drainQueue(deps)
    const status = async (id: string) => (await request('GET', `/v1/tasks/${id}`)).body.status
    assert.equal(await status(first.task_id), 'FAILED')
    assert.notEqual(await status(second.task_id), 'PENDING')
    const { body } = await request('POST', '/v1/namespaces/list', { body: {} })
    assert.deepEqual(
      body.results.map((one: { namespace_name: string }) => one.namespace_name),
      ['default'],
    )
  })

  test(`clones that cannot be meant get a clear 4xx and change nothing (${dialect})`, async (t) => {
    const { request, deps, close } = await testApp(dialect)
    t.after(close)
    const stranger = await makeOrganization(deps, 'strangers')
    const url = '/v1/namespaces/default/clone'
    const cases: [number, string, Parameters<typeof request>][] = [
      [409, 'namespace_name_taken', ['POST', url, { body: { namespace_name: 'default' } }]],
      [400, 'reserved_name', ['POST', url, { body: { namespace_name: 'list' } }]],
      [404, 'namespace_not_found', ['POST', '/v1/namespaces/none/clone', { body: { namespace_name: 'x' } }]],
      [404, 'namespace_not_found', ['POST', url, { body: { namespace_name: 'x' }, key: stranger }]],
      [
        403,
        'scope_denied',
        ['POST', url, { body: { namespace_name: 'x', source_organization_id: 'org_other' } }],
      ],
      [422, 'validation_error', ['POST', url, { body: {} }]],
      [422, 'validation_error', ['POST', url, { body: { namespace_name: ' ' } }]],
      [422, 'validation_error', ['POST', url, { body: { namespace_name: 'a/b' } }]],
      [
        422,
        'validation_error',
        ['POST', url, { body: { namespace_name: 'x', include_resources: { collections: 'maybe' } } }],
      ],
      [401, 'unauthorized', ['POST', url, { body: { namespace_name: 'x' }, key: null }]],
      [405, 'method_not_allowed', ['GET', url]],
    ]
    for (const [status, code, [method, path, options]] of cases) {
      const answer = await request(method, path, options)
      assert.deepEqual(
        [answer.status, answer.body.error.code],
        [status, code],
        JSON.stringify(options ?? path),
      )
    }
    const { body } = await request('POST', '/v1/namespaces/list', { body: {} })
    assert.equal(body.total_count, 1)
    const aliased = await request('POST', url, { body: { name: 'aliased' } })
    assert.equal(aliased.body.namespace.namespace_name, 'aliased')
  })

  test(`every table with a namespace is cloned or left out on purpose (${dialect})`, async (t) => {
    const { deps, close } = await testApp(dialect)
    t.after(close)
    assert.deepEqual((await namespacedTables(deps.db)).sort(), [...CLONED, ...NOT_CLONED].sort())
  })
}

/** One run of the job on connections of its own, as in a worker; `before` is called before every part that it writes. */
async function runClone(deps: Deps, job: Job, before: () => Promise<void>): Promise<void> {
  const db = openDb(deps.config.database_url, { durability: 'normal' })
  try {
    const context = { db: interrupted(db, before), files: deps.files, queue: new DbQueue(db) }
    await cloneNamespaceJob(context)(job, new AbortController().signal)
  } finally {
    await db.destroy()
  }
}

function interrupted(db: Db, before: () => Promise<void>): Db {
  const bound = <T extends object>(target: T, name: string | symbol) => {
    const value = Reflect.get(target, name, target)
    return typeof value === 'function' ? value.bind(target) : value
  }
  const transaction = () =>
    new Proxy(db.transaction(), {
      get: (builder, name) =>
        name !== 'execute'
          ? bound(builder, name)
          : async (work: (trx: Trx) => Promise<unknown>) => {
              await before()
              return builder.execute(work)
            },
    })
  return new Proxy(db, {
    get: (target, name) => (name === 'transaction' ? transaction : bound(target, name)),
  })
}

async function namespacedTables(db: Db): Promise<string[]> {
  const query =
    dialectOf(db) === 'sqlite'
      ? sql<{ name: string }>`select m.name from sqlite_master m, pragma_table_info(m.name) c
          where m.type = 'table' and c.name = 'namespace_id'`
      : sql<{ name: string }>`select table_name as name from information_schema.columns
          where table_schema = 'public' and column_name = 'namespace_id'`
  return (await query.execute(db)).rows.map(({ name }) => name)
}
