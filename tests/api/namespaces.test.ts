import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { createJobHandlers } from '../../src/engine.ts'
import { builtinExtractors } from '../../src/extractors/builtin.ts'
import { type Db, dialect as dialectOf } from '../../src/platform/db/db.ts'
import { ensureDefaultNamespace } from '../../src/resources/namespaces/index.ts'
import { KEPT_TABLES, PLAIN_TABLES, STEPPED_TABLES } from '../../src/resources/namespaces/purge.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { tableContents } from '../support/table-contents.ts'
import { makeOrganization, makeTenant } from '../support/tenant.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

const text = { feature_extractor_name: 'text_extractor', version: 'v1' }
const image = { feature_extractor_name: 'image_extractor', version: 'v1' }

for (const dialect of DIALECTS) {
  test(`the first start makes a namespace named default with every extractor, once (${dialect})`, async (t) => {
    const { request, deps, close } = await testApp(dialect)
    t.after(close)
    await ensureDefaultNamespace(deps.db, deps.bootstrap.organizationId, builtinExtractors)
    const { body } = await request('POST', '/v1/namespaces/list')
    assert.deepEqual(
      body.results.map((namespace: { namespace_name: string }) => namespace.namespace_name),
      ['default'],
    )
    assert.deepEqual(
      body.results[0].feature_extractors.map(
        (extractor: { feature_extractor_id: string }) => extractor.feature_extractor_id,
      ),
      builtinExtractors.all.map(({ name, version }) => `${name}_${version}`),
    )
    assert.match(body.results[0].namespace_id, /^ns_[0-9a-f]{10}$/)
  })

  test(`a namespace is created with its extractors and indexes, read by id and name, and shown with counts (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    const created = await request('POST', '/v1/namespaces', {
      body: {
        name: 'Shop',
        description: 'All of it',
        feature_extractors: [{ ...text, params: { model: 'x' } }, text],
        payload_indexes: [
          { field_name: 'metadata.title', type: 'text', field_schema: { type: 'text', tokenizer: 'word' } },
          { field_name: 'price', type: 'FLOAT', is_protected: true },
        ],
        infrastructure: { qdrant_collection: 'shop', qdrant_api_key: 'topsecret' },
      },
    })
    assert.equal(created.status, 200)
    const { body } = created
    assert.deepEqual(body.feature_extractors, [
      { ...text, params: { model: 'x' }, feature_extractor_id: 'text_extractor_v1' },
    ])
    const own = body.payload_indexes.filter((index: { is_protected: boolean }) => !index.is_protected)
    assert.deepEqual(
      own.map((index: { field_name: string }) => index.field_name),
      ['metadata.title', 'price'],
    )
    assert.equal(body.payload_indexes.length, own.length + 11)
    assert.ok(body.vector_inference_map.text_extractor_v1_embedding)
    assert.equal(body.infrastructure.qdrant_api_key, undefined)
    assert.equal(body.infrastructure.max_workers, 10)
    assert.deepEqual(
      [body.bucket_count, body.object_count, body.collection_count, body.document_count],
      [0, 0, 0, 0],
    )
    assert.deepEqual((await request('GET', '/v1/namespaces/Shop')).body, body)
    assert.deepEqual((await request('GET', `/v1/namespaces/${body.namespace_id}/`)).body, body)
    const taken = await request('POST', '/v1/namespaces', {
      body: { namespace_name: 'Shop', feature_extractors: [text] },
    })
    assert.deepEqual([taken.status, taken.body.error.code], [409, 'namespace_name_taken'])
    // Two of them now, and none was named: the one named default is meant.
    const bucket = await request('POST', '/v1/buckets', {
      body: { bucket_name: 'b', bucket_schema: { properties: {} } },
    })
    assert.equal(bucket.status, 200)
    assert.equal((await request('GET', '/v1/namespaces/default')).body.bucket_count, 1)
  })

  test(`PUT and PATCH rename, replace indexes and append extractors, and nothing else (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    const { body } = await request('POST', '/v1/namespaces', {
      body: {
        namespace_name: 'one',
        description: 'text',
        feature_extractors: [text],
        payload_indexes: [{ field_name: 'a', type: 'keyword' }],
      },
    })
    const url = `/v1/namespaces/${body.namespace_id}`
    const own = (namespace: { payload_indexes: { is_protected: boolean; field_name: string }[] }) =>
      namespace.payload_indexes.filter((index) => !index.is_protected).map((index) => index.field_name)
    const put = await request('PUT', url, { body: { namespace_name: 'two' } })
    assert.equal(put.body.namespace_name, 'two')
    assert.deepEqual(own(put.body), ['a'], 'what is absent stays')
    const patched = await request('PATCH', url, {
      body: {
        payload_indexes: [{ field_name: 'b', type: 'integer' }],
        feature_extractors: [image],
        description: null,
        auto_create_indexes: true,
      },
    })
    assert.deepEqual(own(patched.body), ['b'])
    assert.deepEqual(
      patched.body.feature_extractors.map(
        (extractor: { feature_extractor_id: string }) => extractor.feature_extractor_id,
      ),
      ['text_extractor_v1', 'image_extractor_v1'],
    )
    assert.equal(patched.body.description, undefined)
    assert.equal(patched.body.auto_create_indexes, true)
    // Clients send back what they got.
    assert.equal((await request('PATCH', url, { body: patched.body })).status, 200)
    const altered = await request('PATCH', url, {
      body: { feature_extractors: [{ ...text, params: { model: 'other' } }] },
    })
    assert.deepEqual([altered.status, altered.body.error.code], [400, 'extractor_immutable'])
    const built = await request('PATCH', url, {
      body: { payload_indexes: [{ field_name: 'collection_id', type: 'keyword' }] },
    })
    assert.deepEqual([built.status, built.body.error.code], [400, 'payload_index_protected'])
    assert.equal((await request('PATCH', url, { body: {} })).body.error.code, 'empty_update')
    const twice = await request('PUT', url, {
      body: {
        payload_indexes: [
          { field_name: 'c', type: 'text' },
          { field_name: 'c', type: 'text' },
          { field_name: 'd', type: 'text', field_schema: { type: 'keyword' } },
        ],
      },
    })
    assert.equal(twice.status, 422)
    assert.deepEqual(
      twice.body.detail.map(({ loc }: { loc: unknown[] }) => loc.join('.')),
      ['body.payload_indexes.1.field_name', 'body.payload_indexes.2.field_schema'],
    )
    await request('POST', '/v1/namespaces', { body: { namespace_name: 'free', feature_extractors: [text] } })
    const taken = await request('PATCH', '/v1/namespaces/free', { body: { namespace_name: 'two' } })
    assert.deepEqual([taken.status, taken.body.error.code], [409, 'namespace_name_taken'])
  })

  test(`namespaces are listed with search, filters, sorts, pages and stats over all matches (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    for (const [i, namespace_name] of ['alpha', 'Beta', 'gamma', 'alphabet'].entries())
      await request('POST', '/v1/namespaces', {
        body: {
          namespace_name,
          feature_extractors: i % 2 === 0 ? [text] : [text, image],
          ...(i === 2 && { description: 'The ALPHA of them' }),
        },
      })
    await request('POST', '/v1/buckets', {
      body: { bucket_name: 'b', bucket_schema: { properties: {} } },
      namespace: 'gamma',
    })
    const list = async (body: object = {}, query = '') =>
      (await request('POST', `/v1/namespaces/list${query}`, { body })).body
    const names = (answer: { results: { namespace_name: string }[] }) =>
      answer.results.map(({ namespace_name }) => namespace_name)
    assert.deepEqual(names(await list()), ['alphabet', 'gamma', 'Beta', 'alpha', 'default'])
    assert.deepEqual(names(await list({ search: 'alpha' })), ['alphabet', 'gamma', 'alpha'])
    assert.deepEqual(names(await list({ search: 'alpha', case_sensitive: true })), ['alphabet', 'alpha'])
    assert.deepEqual(names(await list({ search: 'alph*' })), ['alphabet', 'alpha'])
    assert.deepEqual(names(await list({ filters: { namespace_name: 'BETA' } })), ['Beta'])
    assert.deepEqual(names(await list({ filters: { bucket_count: { gt: 0 } } })), ['gamma'])
    assert.deepEqual(
      names(await list({ filters: { 'feature_extractors.feature_extractor_name': 'image_extractor' } })),
      ['alphabet', 'Beta', 'default'],
    )
    assert.deepEqual(names(await list({ sort: { field: 'namespace_name' } })), [
      'alpha',
      'alphabet',
      'Beta',
      'default',
      'gamma',
    ])
    const page = await list({ search: 'a' }, '?limit=2&offset=2')
    assert.deepEqual([page.total_count, page.pagination.page, page.pagination.total_pages], [5, 2, 3])
    assert.equal(page.stats.total_buckets, 1)
    assert.equal(page.stats.avg_buckets_per_namespace, 0.2)
    const seen: string[] = []
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const next: Awaited<ReturnType<typeof list>> = await list({ cursor, limit: 2 })
      seen.push(...names(next))
      cursor = next.pagination.next_cursor
    }
    assert.deepEqual(seen, names(await list()))
    const other = await request('POST', '/v1/namespaces/list', {
      body: { cursor: (await list({ limit: 1 })).pagination.next_cursor, search: 'x' },
    })
    assert.deepEqual([other.status, other.body.error.code], [400, 'cursor_invalid'])
    assert.deepEqual(names((await request('GET', '/v1/namespaces?limit=1')).body), ['alphabet'])
  })

  test(`the extractors of a namespace are all that it can use (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    const list = await request('GET', '/v1/namespaces/default/extractors?source=builtin')
    assert.equal(list.body.total, builtinExtractors.all.length)
    assert.equal(list.body.builtin_count, list.body.total)
    assert.equal((await request('GET', '/v1/namespaces/default/extractors?source=custom')).body.total, 0)
    for (const id of ['text_extractor_v1', 'text_extractor@v1', 'text_extractor']) {
      const one = await request('GET', `/v1/namespaces/default/extractors/${id}`)
      assert.equal(one.body.feature_extractor_id, 'text_extractor_v1')
      assert.match(one.body.feature_uri, /^mixpeek:\/\/text_extractor@v1\//)
    }
    const unknown = await request('GET', '/v1/namespaces/default/extractors/none')
    assert.deepEqual([unknown.status, unknown.body.error.type], [404, 'NotFoundError'])
    assert.equal((await request('GET', '/v1/namespaces/none/extractors')).status, 404)
  })

  test(`deleting a namespace is a task that leaves nothing of it and everything of others (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    const kept = await makeTenant(app, { name: 'kept', mark: 'zebra' })
    const before = await tableContents(deps.db)
    const gone = await makeTenant(app, { name: 'gone', mark: 'walrus' })
    // A batch that still runs, and a file that lies in the blob store.
    await request('POST', `/v1/buckets/${gone.bucket_id}/objects`, {
      body: { title: 'large', body: 'large '.repeat(40_000) },
      namespace: 'gone',
    })
    const running = await request(
      'POST',
      `/v1/buckets/${gone.bucket_id}/batches/${gone.draft_batch_id}/submit`,
    )
    assert.equal(running.status, 200)

    const deleted = await request('DELETE', '/v1/namespaces/gone')
    assert.equal(deleted.status, 200)
    assert.deepEqual(
      { ...deleted.body, task_id: '' },
      { task_id: '', status: 'PENDING', namespace_id: gone.namespace_id, namespace_name: 'gone' },
    )
    assert.equal((await request('DELETE', '/v1/namespaces/gone')).body.task_id, deleted.body.task_id)
    assert.equal((await request('GET', `/v1/buckets/${gone.bucket_id}`)).status, 200, 'it can still be read')
    for (const refused of [
      await request('POST', `/v1/buckets/${gone.bucket_id}/objects`, { body: { title: 'x' } }),
      await request('PATCH', '/v1/namespaces/gone', { body: { description: 'x' } }),
    ])
      assert.deepEqual([refused.status, refused.body.error.code], [409, 'resource_deleting'])

    // The batch would run beside it; here the deletion comes first.
    const job = await deps.queue.lease('first', 'transfer')
    await createJobHandlers(deps).delete_namespace!(job!, new AbortController().signal)
    await drainQueue(deps)
    assert.equal((await request('GET', `/v1/tasks/${deleted.body.task_id}`)).body.status, 'COMPLETED')
    assert.equal((await request('GET', `/v1/tasks/${running.body.task_id}`)).body.status, 'CANCELED')
    assert.equal((await request('GET', '/v1/namespaces/gone')).status, 404)
    assert.equal((await request('GET', `/v1/buckets/${gone.bucket_id}`)).status, 404)
    const after = await tableContents(deps.db)
    // Webhooks and connections belong to the organization; the others tell of the past.
    const outliving = [
      ...KEPT_TABLES,
      'webhooks',
      'connections',
      'audit_events',
      'sqlite_sequence',
      'vector_changes',
      'lexical_changes',
    ]
    for (const table of outliving) {
      delete after[table]
      delete before[table]
    }
    assert.deepEqual(after, before)
    const listed = await request('POST', `/v1/collections/${kept.collection_id}/documents/list`, {
      namespace: 'kept',
    })
    assert.equal(listed.body.results.length, 1)
    for await (const { key } of deps.blobs.list('files/'))
      assert.ok(!key.includes(gone.namespace_id), `${key} was left`)
  })

  test(`every table with a namespace is known to the deletion (${dialect})`, async (t) => {
    const { deps, close } = await testApp(dialect)
    t.after(close)
    const known = [...PLAIN_TABLES, ...STEPPED_TABLES, ...KEPT_TABLES]
    assert.deepEqual((await namespacedTables(deps.db)).sort(), [...known].sort())
  })

  test(`requests that cannot be meant get a clear 4xx and change nothing (${dialect})`, async (t) => {
    const { request, deps, close } = await testApp(dialect)
    t.after(close)
    const stranger = await makeOrganization(deps, 'strangers')
    const before = await tableContents(deps.db)
    const body = { namespace_name: 'x', feature_extractors: [text] }
    const cases: [number, Parameters<typeof request>][] = [
      [422, ['POST', '/v1/namespaces', { raw: '{' }]],
      [422, ['POST', '/v1/namespaces', { body: { namespace_name: 'x' } }]],
      [422, ['POST', '/v1/namespaces', { body: { ...body, feature_extractors: [] } }]],
      [422, ['POST', '/v1/namespaces', { body: { ...body, feature_extractors: [{ version: 'v1' }] } }]],
      [422, ['POST', '/v1/namespaces', { body: { ...body, namespace_name: '   ' } }]],
      [422, ['POST', '/v1/namespaces', { body: { ...body, namespace_name: 'n'.repeat(10_000_000) } }]],
      [
        422,
        ['POST', '/v1/namespaces', { body: { ...body, payload_indexes: [{ field_name: 'x', type: 'y' }] } }],
      ],
      [400, ['POST', '/v1/namespaces', { body: { ...body, namespace_name: 'migrations' } }]],
      [
        404,
        ['POST', '/v1/namespaces', { body: { ...body, feature_extractors: [{ ...text, version: 'v9' }] } }],
      ],
      [401, ['POST', '/v1/namespaces', { body, key: null }]],
      [404, ['GET', '/v1/namespaces/none']],
      [404, ['GET', '/v1/namespaces/default', { key: stranger }]],
      [404, ['DELETE', '/v1/namespaces/default', { key: stranger }]],
      [404, ['PATCH', '/v1/namespaces/none', { body: { description: 'x' } }]],
      [422, ['POST', '/v1/namespaces/list?limit=0']],
      [422, ['POST', '/v1/namespaces/list?offset=10001']],
      [422, ['POST', '/v1/namespaces/list', { body: { filters: [] } }]],
    ]
    for (const [status, [method, url, options]] of cases) {
      const answer = await request(method, url, options)
      const sent = JSON.stringify(options ?? {}).slice(0, 120)
      assert.equal(
        answer.status,
        status,
        `${method} ${url} ${sent}: ${JSON.stringify(answer.body).slice(0, 300)}`,
      )
    }
    const unknown = await request('POST', '/v1/namespaces', {
      body: { ...body, feature_extractors: [{ feature_extractor_name: 'txt', version: 'v1' }] },
    })
    assert.equal(unknown.body.error.message, 'Feature extractor txt version v1 not found in registry.')
    assert.deepEqual(await tableContents(deps.db), before)
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
