import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Dialect, inTransaction } from '../../src/platform/db/db.ts'
import { changeBatchStats, changeObjectStats } from '../../src/resources/buckets/index.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { tableContents } from '../support/table-contents.ts'
import { makeOrganization } from '../support/tenant.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

async function fixture(t: TestContext, dialect: Dialect) {
  const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
  t.after(app.close)
  return { app, request: app.request, make: ingestFixture(app) }
}

async function scopeOf({ deps }: TestApp) {
  const { organizationId } = deps.bootstrap
  return { organizationId, namespaceId: (await deps.namespaceLookup.fallback(organizationId))!.namespace_id }
}

const schema = { properties: { title: { type: 'string' } } }
const codes = (body: { detail: { loc: unknown[]; type: string }[] }) =>
  body.detail.map(({ loc, type }) => `${loc.join('.')} ${type}`)

for (const dialect of DIALECTS) {
  test(`a bucket is created, read by id and by name, listed and counted (${dialect})`, async (t) => {
    const { request } = await fixture(t, dialect)
    const body = {
      bucket_name: '  Größe & "more"  ',
      bucket_schema: { properties: { hero: { type: 'image', required: true, note: 'kept' } } },
      description: 'a\n"text" \\ with é',
      metadata: { region: 'us', nested: { list: [1, 'two', null] } },
    }
    const created = await request('POST', '/v1/buckets', { body })
    assert.equal(created.status, 200)
    const { bucket_id, created_at, updated_at, stats_updated_at, ...rest } = created.body
    assert.match(bucket_id, /^bkt_[a-z0-9]{12}$/)
    assert.match(created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    assert.equal(updated_at, created_at)
    assert.equal(stats_updated_at, created_at)
    assert.deepEqual(rest, {
      ...body,
      bucket_name: 'Größe & "more"',
      object_count: 0,
      total_size_bytes: 0,
      status: 'ACTIVE',
      is_locked: false,
      batch_stats: { total: 0, active: 0, completed: 0, failed: 0 },
      storage_stats: { total_size_bytes: 0, avg_size_bytes: 0, max_size_bytes: 0, min_size_bytes: 0 },
    })
    const encoded = encodeURIComponent('Größe & "more"')
    assert.deepEqual((await request('GET', `/v1/buckets/${encoded}/`)).body, created.body)
    assert.deepEqual((await request('GET', `/v1/buckets/${bucket_id}`)).body, created.body)
    for (const list of [
      await request('POST', '/v1/buckets/list'),
      await request('POST', '/v1/buckets/list', { raw: 'null' }),
      await request('GET', '/v1/buckets'),
    ]) {
      assert.deepEqual(list.body.results, [created.body])
      assert.equal(list.body.total_count, 1)
    }
    const namespace = await request('GET', '/v1/namespaces/default')
    assert.equal(namespace.body.bucket_count, 1)
  })

  test(`clients may say name and schema, wrap the schema as JSON Schema and use older types (${dialect})`, async (t) => {
    const { request } = await fixture(t, dialect)
    const { body } = await request('POST', '/v1/buckets', {
      body: {
        name: 'wrapped',
        schema: {
          type: 'object',
          required: ['title', 'info'],
          properties: {
            title: { type: 'STRING' },
            info: { type: 'json', required: ['a'], properties: { a: { type: 'Integer' } } },
            tags: { type: 'array', items: { type: 'json', properties: {} } },
            file: { type: 'document' },
            sheet: { type: 'Spreadsheet' },
          },
        },
      },
    })
    assert.equal(body.bucket_name, 'wrapped')
    assert.deepEqual(body.bucket_schema.properties, {
      title: { type: 'string', required: true },
      info: {
        type: 'object',
        required: true,
        properties: { a: { type: 'integer', required: true } },
      },
      tags: { type: 'array', required: false, items: { type: 'object', properties: {}, required: false } },
      file: { type: 'pdf', required: false },
      sheet: { type: 'excel', required: false },
    })
  })

  test(`PUT sets and replaces, PATCH merges and clears, both by id or name (${dialect})`, async (t) => {
    const { request } = await fixture(t, dialect)
    const { body } = await request('POST', '/v1/buckets', {
      body: { bucket_name: 'one', bucket_schema: schema, metadata: { a: 1, b: 2 }, description: 'text' },
    })
    const url = `/v1/buckets/${body.bucket_id}`
    const patched = await request('PATCH', '/v1/buckets/one', {
      body: { metadata: { b: null, c: 3 }, description: null, storage_class: 'ARCHIVE' },
    })
    assert.deepEqual(patched.body.metadata, { a: 1, c: 3 })
    assert.equal(patched.body.description, undefined)
    assert.equal(patched.body.storage_class, 'archive')
    assert.ok(patched.body.updated_at > body.updated_at)
    const put = await request('PUT', url, { body: { bucket_name: 'two', metadata: { only: true } } })
    assert.deepEqual(put.body.metadata, { only: true })
    assert.equal(put.body.bucket_name, 'two')
    assert.equal((await request('GET', '/v1/buckets/one')).status, 404)
    assert.deepEqual((await request('PUT', url, { body: { description: null } })).body.metadata, {
      only: true,
    })
    for (const empty of [{}, { bucket_name: null }, { unknown: 1 }])
      assert.equal((await request('PATCH', url, { body: empty })).body.error.code, 'empty_update')
    // Clients send back what they got.
    assert.equal((await request('PATCH', url, { body: put.body })).status, 200)
  })

  test(`names are unique in a namespace, free again after a rename, and free in another namespace (${dialect})`, async (t) => {
    const { request } = await fixture(t, dialect)
    const create = (bucket_name: string, namespace = 'default') =>
      request('POST', '/v1/buckets', { body: { bucket_name, bucket_schema: schema }, namespace })
    const first = await create('same')
    const taken = await create('same')
    assert.equal(taken.status, 409)
    assert.equal(taken.body.error.code, 'bucket_name_taken')
    assert.equal((await create('Same')).status, 200, 'names differ by case')
    const rename = await request('PATCH', '/v1/buckets/Same', { body: { bucket_name: 'same' } })
    assert.equal(rename.body.error.code, 'bucket_name_taken')
    await request('PATCH', `/v1/buckets/${first.body.bucket_id}`, { body: { bucket_name: 'other' } })
    assert.equal((await create('same')).status, 200)
    await request('POST', '/v1/namespaces', {
      body: {
        namespace_name: 'second',
        feature_extractors: [{ feature_extractor_name: 'text_extractor', version: 'v1' }],
      },
    })
    assert.equal((await create('same', 'second')).status, 200)
    assert.equal((await create('list')).body.error.code, 'reserved_name')
    // A bucket that bears the id of another as its name does not hide it.
    const shadow = await create(first.body.bucket_id)
    assert.equal(shadow.status, 200)
    assert.equal((await request('GET', `/v1/buckets/${first.body.bucket_id}`)).body.bucket_name, 'other')
  })

  test(`of equal names created at once one wins, and the totals count one (${dialect})`, async (t) => {
    const { request } = await fixture(t, dialect)
    const all = await Promise.all(
      Array.from({ length: 8 }, () =>
        request('POST', '/v1/buckets', { body: { bucket_name: 'race', bucket_schema: schema } }),
      ),
    )
    assert.deepEqual(all.map(({ status }) => status).sort(), [200, ...Array(7).fill(409)])
    assert.equal((await request('POST', '/v1/buckets/list')).body.total_count, 1)
  })

  test(`a schema with objects only grows; the unique key never changes (${dialect})`, async (t) => {
    const { request, make } = await fixture(t, dialect)
    const properties = {
      sku: { type: 'string', required: true },
      size: { type: 'string', enum: ['s', 'm'] },
    }
    const bucket_id = await make.bucket({
      bucket_schema: { properties },
      unique_key: { fields: ['sku'], default_policy: 'insert' },
    })
    const patch = (bucket_schema: object) =>
      request('PATCH', `/v1/buckets/${bucket_id}`, { body: { bucket_schema } })
    assert.equal(
      (await patch({ properties: { sku: { type: 'string' }, x: { type: 'integer' } } })).status,
      200,
    )
    assert.equal((await patch({ properties })).status, 200, 'an empty bucket takes any schema')
    const noKey = await patch({ properties: { other: { type: 'string' } } })
    assert.equal(noKey.body.error.code, 'schema_incompatible')
    await make.objects(bucket_id, [{ sku: 'a', size: 's' }])
    const refused = [
      { sku: properties.sku },
      { ...properties, size: { type: 'integer' } },
      { ...properties, size: { type: 'string', enum: ['s'] } },
      { ...properties, size: { ...properties.size, required: true } },
      { ...properties, more: { type: 'string', required: true } },
    ]
    for (const one of refused) {
      const { status, body } = await patch({ properties: one })
      assert.deepEqual([status, body.error.code], [400, 'schema_incompatible'], JSON.stringify(one))
    }
    const wider = {
      ...properties,
      size: { type: 'string', enum: ['s', 'm', 'l'], description: 'new' },
      more: { type: 'text' },
    }
    const { body } = await patch({ properties: wider })
    assert.deepEqual(body.bucket_schema.properties.size.enum, ['s', 'm', 'l'])
    for (const method of ['PUT', 'PATCH'] as const) {
      const changed = await request(method, `/v1/buckets/${bucket_id}`, {
        body: { unique_key: { fields: ['size'] } },
      })
      assert.equal(changed.body.error.code, 'unique_key_immutable')
      const same = await request(method, `/v1/buckets/${bucket_id}`, {
        body: { unique_key: body.unique_key, description: 'x' },
      })
      assert.equal(same.status, 200)
    }
  })

  test(`schemas and unique keys that cannot work are refused with every reason (${dialect})`, async (t) => {
    const { request } = await fixture(t, dialect)
    const create = (body: object) => request('POST', '/v1/buckets', { body: { bucket_name: 'x', ...body } })
    const nested = (depth: number): object =>
      depth === 0 ? { type: 'string' } : { type: 'object', properties: { a: nested(depth - 1) } }
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, { type: 'string' }]))
    const cases: [object, string[]][] = [
      [{}, ['body.bucket_schema missing']],
      [{ bucket_schema: 'x' }, ['body.bucket_schema dict_type']],
      [{ bucket_schema: {} }, ['body.bucket_schema.properties missing']],
      [
        { bucket_schema: { properties: { a: { type: 'keyword' }, b: {} } } },
        ['body.bucket_schema.properties.a.type enum', 'body.bucket_schema.properties.b.type missing'],
      ],
      [
        { bucket_schema: { properties: { a: { type: 'integer', default: 1.5 } } } },
        ['body.bucket_schema.properties.a.default int_from_float'],
      ],
      [
        { bucket_schema: schema, unique_key: { fields: ['title', 'title', 'none'] } },
        ['body.unique_key.fields.1 value_error', 'body.unique_key.fields.2 value_error'],
      ],
      [
        { bucket_schema: { properties: { a: { type: 'image' } } }, unique_key: { fields: ['a'] } },
        ['body.unique_key.fields.0 value_error'],
      ],
      [{ bucket_schema: schema, unique_key: { fields: [] } }, ['body.unique_key.fields too_short']],
      [{ bucket_schema: { properties: many(501) } }, ['body.bucket_schema value_error']],
      [{ bucket_schema: schema, metadata: { big: 'x'.repeat(70_000) } }, ['body.metadata value_error']],
    ]
    for (const [body, expected] of cases) {
      const answer = await create(body)
      assert.equal(answer.status, 422, JSON.stringify(body).slice(0, 200))
      assert.deepEqual(codes(answer.body), expected)
    }
    const deep = await create({ bucket_schema: { properties: { a: nested(10) } } })
    assert.equal(deep.status, 422)
    assert.match(deep.body.detail[0].msg, /10 levels/)
    assert.equal((await create({ bucket_schema: { properties: { a: nested(9) } } })).status, 200)
  })

  test(`a locked bucket keeps its contents, answers, and can be changed itself (${dialect})`, async (t) => {
    const { request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket({ is_locked: true })
    const url = `/v1/buckets/${bucket_id}`
    const refused = [
      await request('DELETE', url),
      await request('POST', `${url}/objects`, { body: { title: 'x' } }),
    ]
    for (const { status, body } of refused)
      assert.deepEqual([status, body.error.code], [403, 'bucket_locked'])
    assert.equal((await request('PATCH', url, { body: { description: 'still works' } })).status, 200)
    assert.equal((await request('PATCH', url, { body: { is_locked: false } })).body.is_locked, false)
    await make.objects(bucket_id, [{ title: 'x' }])
    assert.equal((await request('DELETE', url)).status, 200)
  })

  test(`secret-like values of a source adapter are masked and kept nowhere (${dialect})`, async (t) => {
    const { app, request } = await fixture(t, dialect)
    const { body } = await request('POST', '/v1/buckets', {
      body: {
        bucket_name: 'hook',
        bucket_schema: schema,
        source_adapter: { type: 'webhook', client_secret: 'topsecret', auth: [{ api_key: 'topsecret' }] },
      },
    })
    const mask = '*'.repeat(40)
    assert.deepEqual(body.source_adapter, { type: 'webhook', client_secret: mask, auth: [{ api_key: mask }] })
    const rows = await app.deps.db.selectFrom('buckets').selectAll().execute()
    assert.ok(!JSON.stringify(rows).includes('topsecret'))
  })

  test(`object counters are those of the objects, after any order of changes (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const scope = await scopeOf(app)
    const bucket_id = await make.bucket()
    const { db } = app.deps
    const sizes = new Map<string, number>()
    let seed = 7
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed % below
    }
    for (let step = 0; step < 60; step++) {
      await inTransaction(db, async (trx) => {
        const removed = [...sizes].filter(() => random(4) === 0)
        const added = Array.from({ length: random(3) }, (_, i) => [`obj_${step}_${i}`, random(50)] as const)
        if (removed.length > 0)
          await trx
            .deleteFrom('objects')
            .where(
              'object_id',
              'in',
              removed.map(([id]) => id),
            )
            .execute()
        for (const [object_id, size_bytes] of added)
          await trx
            .insertInto('objects')
            .values({
              namespace_id: scope.namespaceId,
              object_id,
              bucket_id,
              key_prefix: null,
              status: 'DRAFT',
              size_bytes,
              created_at: '2026-01-01T00:00:00.000000Z',
              updated_at: '2026-01-01T00:00:00.000000Z',
              unique_key_hash: null,
              content_hash: null,
              error: null,
              source_details: '[]',
              fields: '{}',
              blobs: '[]',
            })
            .execute()
        await changeObjectStats(trx, scope, bucket_id, {
          added: added.map(([, size]) => size),
          removed: removed.map(([, size]) => size),
        })
        for (const [id] of removed) sizes.delete(id)
        for (const [id, size] of added) sizes.set(id, size)
      })
      const all = [...sizes.values()]
      const total = all.reduce((sum, size) => sum + size, 0)
      const { body } = await request('GET', `/v1/buckets/${bucket_id}`)
      assert.deepEqual(
        [body.object_count, body.storage_stats],
        [
          all.length,
          {
            total_size_bytes: total,
            avg_size_bytes: all.length === 0 ? 0 : Math.floor(total / all.length),
            max_size_bytes: Math.max(0, ...all),
            min_size_bytes: all.length === 0 ? 0 : Math.min(...all),
          },
        ],
      )
      const list = await request('POST', '/v1/buckets/list')
      assert.equal(list.body.stats.total_objects, all.length)
      assert.equal(list.body.stats.total_size_bytes, total)
    }
  })

  test(`batch counters follow the status of batches (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const scope = await scopeOf(app)
    const bucket_id = await make.bucket()
    const steps: [string | null, string | null, object][] = [
      [null, 'DRAFT', { total: 1, active: 1, completed: 0, failed: 0 }],
      ['DRAFT', 'PENDING', { total: 1, active: 1, completed: 0, failed: 0 }],
      ['PENDING', 'COMPLETED_WITH_ERRORS', { total: 1, active: 0, completed: 1, failed: 0 }],
      ['COMPLETED_WITH_ERRORS', 'IN_PROGRESS', { total: 1, active: 1, completed: 0, failed: 0 }],
      ['IN_PROGRESS', 'FAILED', { total: 1, active: 0, completed: 0, failed: 1 }],
      [null, 'CANCELED', { total: 2, active: 0, completed: 0, failed: 1 }],
      ['FAILED', null, { total: 1, active: 0, completed: 0, failed: 0 }],
    ]
    for (const [from, to, expected] of steps) {
      await inTransaction(app.deps.db, (trx) => changeBatchStats(trx, scope, bucket_id, { from, to }))
      assert.deepEqual((await request('GET', `/v1/buckets/${bucket_id}`)).body.batch_stats, expected)
    }
  })

  test(`writers of one bucket at once lose no count (${dialect})`, async (t) => {
    const { request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    await Promise.all(Array.from({ length: 12 }, (_, i) => make.objects(bucket_id, [{ title: `t${i}` }])))
    assert.equal((await request('GET', `/v1/buckets/${bucket_id}`)).body.object_count, 12)
    assert.equal((await request('POST', '/v1/buckets/list')).body.stats.total_objects, 12)
  })

  test(`deleting a bucket is a task that removes objects, bytes and batches and keeps documents (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const { db } = app.deps
    const bucket_id = await make.bucket({}, { file: { type: 'text' } })
    const other_id = await make.bucket({ bucket_name: 'other' }, { file: { type: 'text' } })
    const collection_id = await make.textCollection(bucket_id)
    const blob = (text: string) => ({ blobs: [{ property: 'file', type: 'text', data: text }] })
    const large = 'large '.repeat(40_000)
    const ids = await make.objects(bucket_id, [
      { title: 'a', body: 'One text.', ...blob(large) },
      { title: 'b', body: 'Another.', ...blob('small') },
    ])
    await make.objects(other_id, [{ title: 'c', ...blob('kept') }])
    await make.process(bucket_id, ids)
    const draft_id = await make.batch(bucket_id, ids)

    const deleted = await request('DELETE', '/v1/buckets/notes')
    assert.equal(deleted.status, 200)
    assert.deepEqual(
      { ...deleted.body, task_id: '' },
      { task_id: '', status: 'PENDING', bucket_id, bucket_name: 'notes', object_count: 2 },
    )
    assert.equal((await request('DELETE', `/v1/buckets/${bucket_id}`)).body.task_id, deleted.body.task_id)
    // Until it is gone it is there, but takes nothing.
    assert.equal((await request('GET', `/v1/buckets/${bucket_id}`)).body.status, 'IN_PROGRESS')
    assert.equal((await request('POST', '/v1/buckets/list')).body.total_count, 2)
    for (const refused of [
      await request('PATCH', `/v1/buckets/${bucket_id}`, { body: { description: 'x' } }),
      await request('POST', `/v1/buckets/${bucket_id}/objects`, { body: { title: 'x' } }),
    ])
      assert.deepEqual([refused.status, refused.body.error.code], [409, 'resource_deleting'])

    await drainQueue(app.deps)
    const task = await request('GET', `/v1/tasks/${deleted.body.task_id}`)
    assert.equal(task.body.status, 'COMPLETED')
    assert.equal(task.body.additional_data.progress.processed, 2)
    assert.equal((await request('GET', `/v1/buckets/${bucket_id}`)).status, 404)
    assert.equal((await request('GET', `/v1/buckets/${bucket_id}/batches/${draft_id}`)).status, 404)
    const list = await request('POST', '/v1/buckets/list')
    assert.deepEqual([list.body.total_count, list.body.stats.total_objects], [1, 1])
    assert.equal(
      (await request('POST', '/v1/buckets/list', { body: { search: 'notes' } })).body.total_count,
      0,
    )
    assert.equal((await make.documents(collection_id)).length, 2, 'documents stay')
    for (const table of ['batches', 'batch_objects', 'batch_tiers', 'batch_tier_collections'] as const)
      assert.deepEqual(await db.selectFrom(table).select('namespace_id').execute(), [], table)
    const files = await db.selectFrom('files').select(['filename', 'storage_key']).execute()
    assert.ok(!files.some(({ storage_key }) => storage_key !== null), 'the large file is gone')
    for await (const { key } of app.deps.blobs.list('files/')) assert.fail(`${key} was left`)
    await make.bucket({ bucket_name: 'notes' })
  })

  test(`a deletion that is cut off at any job goes on from there, and one that fails leaves the bucket working (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    await make.objects(bucket_id, [{ title: 'a' }, { title: 'b' }])
    const first = await request('DELETE', `/v1/buckets/${bucket_id}`)
    // As if the store of files were broken each time.
    const broken = { ...app.deps.files, release: () => Promise.reject(new Error('no disk')) }
    const { deleteBucketJob } = await import('../../src/resources/buckets/index.ts')
    const failing = deleteBucketJob({ ...app.deps, files: broken as unknown as typeof app.deps.files })
    for (let attempt = 1; attempt <= 5; attempt++) {
      await app.deps.db.updateTable('jobs').set({ run_at: '2020-01-01T00:00:00.000000Z' }).execute()
      const job = await app.deps.queue.lease('test', 'transfer')
      assert.ok(job)
      if (attempt < 5) {
        await assert.rejects(failing(job), /no disk/)
        await app.deps.queue.retry(job, { delay_ms: 0, error: 'no disk' })
      } else await failing(job)
    }
    const task = await request('GET', `/v1/tasks/${first.body.task_id}`)
    assert.deepEqual([task.body.status, task.body.error], ['FAILED', 'no disk'])
    const bucket = await request('GET', `/v1/buckets/${bucket_id}`)
    assert.deepEqual([bucket.body.status, bucket.body.object_count], ['ACTIVE', 2])
    const second = await request('DELETE', `/v1/buckets/${bucket_id}`)
    assert.notEqual(second.body.task_id, first.body.task_id)
    await drainQueue(app.deps)
    assert.equal((await request('GET', `/v1/buckets/${bucket_id}`)).status, 404)
  })

  test(`requests that cannot be meant get a clear 4xx and change nothing (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket({ bucket_name: "it's 100% [a]_b" })
    const stranger = await makeOrganization(app.deps, 'strangers')
    const before = await tableContents(app.deps.db)
    const deep = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)
    const body = { bucket_name: 'x', bucket_schema: schema }
    const cases: [number, Parameters<typeof request>][] = [
      [422, ['POST', '/v1/buckets', { raw: '{"bucket_name": "x", ' }]],
      [422, ['POST', '/v1/buckets', { raw: '[]' }]],
      [422, ['POST', '/v1/buckets']],
      [422, ['POST', '/v1/buckets', { body: { ...body, bucket_name: 7 } }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, bucket_name: ' \t ' } }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, bucket_name: 'a/b' } }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, bucket_name: 'a\nb' } }]],
      [422, ['POST', '/v1/buckets', { raw: JSON.stringify(body).replace('"x"', '"a\\u0000b"') }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, bucket_name: 'n'.repeat(256) } }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, bucket_name: 'n'.repeat(10_000_000) } }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, description: 'n'.repeat(10_000_000) } }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, metadata: deep(70) } }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, metadata: [] } }]],
      [422, ['POST', '/v1/buckets', { body: { ...body, storage_class: 'glacier' } }]],
      [401, ['POST', '/v1/buckets', { body, key: null }]],
      [401, ['POST', '/v1/buckets', { body, key: 'sk_wrong' }]],
      [401, ['POST', '/v1/buckets/list', { key: `${app.key}x` }]],
      [404, ['POST', '/v1/buckets', { body, namespace: 'nowhere' }]],
      [404, ['POST', '/v1/buckets', { body, namespace: 'default', key: stranger }]],
      [404, ['POST', '/v1/buckets/list', { body: { namespace_id: "x' or 1=1 --" } }]],
      [404, ['GET', '/v1/buckets/bkt_000000000000']],
      [404, ['GET', `/v1/buckets/${encodeURIComponent("' or 1=1 --")}`]],
      [404, ['DELETE', '/v1/buckets/%25']],
      [404, ['PATCH', '/v1/buckets/none', { body: { description: 'x' } }]],
      [422, ['PATCH', `/v1/buckets/${bucket_id}`, { body: { bucket_name: '' } }]],
      [422, ['PATCH', `/v1/buckets/${bucket_id}`, { body: { metadata: { big: 'x'.repeat(70_000) } } }]],
      [405, ['DELETE', '/v1/buckets']],
      [422, ['POST', '/v1/buckets/list', { body: [] }]],
    ]
    for (const [status, [method, url, options]] of cases) {
      const answer = await request(method, url, options)
      const sent = JSON.stringify(options ?? {}).slice(0, 120)
      assert.equal(
        answer.status,
        status,
        `${method} ${url} ${sent}: ${JSON.stringify(answer.body).slice(0, 300)}`,
      )
      assert.equal(answer.body.success, false)
      assert.ok(answer.body.error.message.length > 0 && answer.body.error.message.length < 1000)
    }
    assert.deepEqual(await tableContents(app.deps.db), before)
  })
}
