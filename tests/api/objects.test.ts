import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { BucketSchema } from '../../src/core/bucket-schema.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

const SCHEMA: BucketSchema = {
  properties: {
    title: { type: 'string', required: true },
    price: { type: 'number' },
    lang: { type: 'string', default: 'en', enum: ['en', 'de'] },
    body: { type: 'text' },
    notes: { type: 'array', items: { type: 'string' } },
  },
}

for (const dialect of DIALECTS) {
  describe(`objects (${dialect})`, () => {
    let kura: ObjectsApp
    let bucket_id: string
    before(async () => {
      kura = await objectsApp(dialect)
      bucket_id = await kura.bucket({ schema: SCHEMA })
    })
    after(() => kura.close())

    const get = (id: string, query = '') => kura.request('GET', `${bucket_id}/objects/${id}${query}`)
    const stats = async (id = bucket_id) => (await kura.request('GET', id)).body

    test('an object comes back as it was sent, fields at the root and under metadata', async () => {
      const sent = { title: 'A', price: 2, notes: ['x'], metadata: { région: { a: [1, null] } }, extra: true }
      const created = await kura.create(bucket_id, { ...sent, key_prefix: '/a/b' })
      assert.match(created.object_id, /^obj_[a-z0-9]{12}$/)
      const { object_id, created_at, updated_at, ...rest } = created
      assert.deepEqual(rest, {
        ...sent,
        lang: 'en',
        key_prefix: '/a/b',
        bucket_id,
        status: 'DRAFT',
        blobs: [],
        source_details: [{ type: 'bucket', source_id: bucket_id }],
      })
      assert.equal(created_at, updated_at)
      assert.deepEqual((await get(object_id)).body, created)
    })

    test('our own members are ignored when a client sends them back', async () => {
      const created = await kura.create(bucket_id, {
        title: 'A',
        object_id: 'obj_mine',
        status: 'COMPLETED',
        created_at: 'never',
        error: 'x',
        source_details: 'x',
        content_hash: 'x',
        namespace_id: kura.namespace_id,
      })
      assert.notEqual(created.object_id, 'obj_mine')
      assert.equal(created.status, 'DRAFT')
      assert.equal(created.error, undefined)
      assert.equal(created.content_hash, undefined)
    })

    test('names that start with an underscore are refused', async () => {
      const { detail } = await kura.refuses(422, 'validation_error', bucket_id, { title: 'A', _internal: 1 })
      assert.deepEqual(detail[0].loc, ['body', '_internal'])
      await kura.create(bucket_id, { title: 'A', metadata: { _fine: 1 }, in_side: 1 })
    })

    test('what breaks the schema is a 422 that names every field', async () => {
      const { error, detail } = await kura.refuses(422, 'schema_validation_failed', bucket_id, {
        price: 'much',
        lang: 'fr',
        notes: ['x', 1],
      })
      assert.match(error.message, /^Schema validation failed: /)
      assert.match(error.message, /title: Field required/)
      assert.match(error.message, /notes\.1: Input should be a valid string/)
      assert.deepEqual(
        detail.map(({ loc, type }: { loc: string[]; type: string }) => `${loc.join('.')} ${type}`).sort(),
        ['body.lang enum', 'body.notes.1 string_type', 'body.price float_type', 'body.title missing'],
      )
    })

    test('a field under metadata satisfies the schema, and breaks it, as one at the root does', async () => {
      const created = await kura.create(bucket_id, { metadata: { title: 'A', lang: 'de' } })
      assert.equal(created.lang, undefined)
      assert.deepEqual(created.metadata, { title: 'A', lang: 'de' })
      const { detail } = await kura.refuses(422, 'schema_validation_failed', bucket_id, {
        metadata: { title: 7 },
      })
      assert.deepEqual(detail[0].loc, ['body', 'metadata', 'title'])
    })

    test('a bucket without a schema takes any property and guesses the type of its blobs', async () => {
      const legacy = await kura.bucket()
      await kura.deps.db
        .updateTable('buckets')
        .set({ bucket_schema: null })
        .where('bucket_id', '=', legacy)
        .execute()
      const blobs = [
        { property: 'a', data: 'words' },
        { property: 'b', data: { x: 1 } },
        { property: 'c', data: `data:image/gif;base64,${GIF}` },
      ]
      const created = await kura.create(legacy, { anything: { goes: 1 }, blobs })
      assert.deepEqual(
        created.blobs.map(({ type }: { type: string }) => type),
        ['text', 'object', 'image'],
      )
    })

    test('key prefixes are kept as given, whatever they mean elsewhere; what could hurt is refused', async () => {
      const windows = ['CON', 'aux.txt', 'c:\\temp\\nul', 'ends. ', 'a<b>?*|"']
      // One letter in two normal forms: two names, each kept as it is.
      const forms = ['caf\u00e9/x', 'cafe\u0301/x']
      const longest = 'é'.repeat(512)
      for (const key_prefix of ['/a//b/', 'a b', 'a..b', '...', ...windows, ...forms, longest]) {
        const created = await kura.create(bucket_id, { title: 'A', key_prefix })
        assert.equal(created.key_prefix, key_prefix)
        const read = await kura.request('GET', `${bucket_id}/objects/${created.object_id}`)
        assert.equal(read.body.key_prefix, key_prefix)
      }
      for (const [i, key_prefix] of forms.entries()) {
        const { body } = await kura.request('POST', `${bucket_id}/objects/list`, {
          body: { filters: { key_prefix } },
        })
        assert.deepEqual(
          body.results.map((object: { key_prefix: string }) => object.key_prefix),
          [forms[i]],
        )
      }
      const upwards = ['..', 'a/../b', '/..', 'a\\..\\b', 'a/.. /b']
      for (const key_prefix of [...upwards, 'a\0b', 'a\nb', '\ud800', `${longest}x`, 'x'.repeat(1025)])
        await kura.refuses(422, 'validation_error', bucket_id, { title: 'A', key_prefix })
      const blobs = [{ property: 'body', data: 'x', key_prefix: 'a/../b' }]
      const { detail } = await kura.refuses(422, 'validation_error', bucket_id, { title: 'A', blobs })
      assert.deepEqual(detail[0].loc, ['body', 'blobs', 0, 'key_prefix'])
    })

    test('unknown buckets and objects are 404, also those of another bucket', async () => {
      const { object_id } = await kura.create(bucket_id, { title: 'A' })
      const other = await kura.bucket()
      for (const [url, code] of [
        [`bkt_missing/objects/${object_id}`, 'bucket_not_found'],
        [`${other}/objects/${object_id}`, 'object_not_found'],
        [`${bucket_id}/objects/obj_missing`, 'object_not_found'],
      ]) {
        const answer = await kura.request('GET', url!)
        assert.deepEqual([answer.status, answer.body.error.code], [404, code])
      }
    })

    test('a locked bucket refuses writes and lets objects be read', async () => {
      const locked = await kura.bucket()
      const { object_id } = await kura.create(locked, { a: 1 })
      await kura.request('PATCH', locked, { body: { is_locked: true } })
      await kura.refuses(403, 'bucket_locked', locked, { a: 1 })
      for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
        const answer = await kura.request(
          method,
          `${locked}/objects/${object_id}`,
          method === 'DELETE' ? {} : { body: { a: 2 } },
        )
        assert.equal(answer.status, 403, method)
      }
      assert.equal((await kura.request('GET', `${locked}/objects/${object_id}`)).status, 200)
    })

    test('counters of the bucket follow creates, updates and deletes exactly', async () => {
      const counted = await kura.bucket({ schema: SCHEMA })
      const one = await kura.create(counted, { title: 'A', blobs: [{ property: 'body', data: '12345' }] })
      await kura.create(counted, { title: 'B', blobs: [{ property: 'body', data: '1' }] })
      let { object_count, storage_stats, last_upload_at } = await stats(counted)
      assert.equal(object_count, 2)
      assert.deepEqual(storage_stats, {
        total_size_bytes: 6,
        avg_size_bytes: 3,
        max_size_bytes: 5,
        min_size_bytes: 1,
      })
      assert.ok(last_upload_at)
      const url = `${counted}/objects/${one.object_id}`
      await kura.request('PUT', url, { body: { blobs: [{ property: 'body', data: '123456789' }] } })
      assert.equal((await stats(counted)).total_size_bytes, 10)
      assert.equal((await kura.request('DELETE', url)).status, 204)
      ;({ object_count, storage_stats } = await stats(counted))
      assert.deepEqual([object_count, storage_stats.max_size_bytes], [1, 1])
    })

    test('delete removes object and bytes, and a second delete is a 404', async () => {
      const keys = (await kura.storedKeys()).length
      const { object_id } = await kura.create(bucket_id, {
        title: 'A',
        blobs: [{ property: 'body', data: 'x'.repeat(100_000) }],
      })
      assert.equal((await kura.storedKeys()).length, keys + 1)
      const url = `${bucket_id}/objects/${object_id}`
      assert.deepEqual((await kura.request('DELETE', url)).body, null)
      assert.equal((await kura.storedKeys()).length, keys)
      assert.equal((await kura.request('DELETE', url)).status, 404)
      assert.equal((await get(object_id)).status, 404)
    })

    test('delete takes the object out of draft batches and leaves submitted ones alone', async () => {
      const { object_id } = await kura.create(bucket_id, { title: 'A' })
      await insertBatch(kura, bucket_id, 'btch_draft', 'DRAFT', object_id)
      await insertBatch(kura, bucket_id, 'btch_running', 'IN_PROGRESS', object_id)
      await kura.request('DELETE', `${bucket_id}/objects/${object_id}`)
      const rows = await kura.deps.db.selectFrom('batch_objects').select('batch_id').execute()
      assert.deepEqual(
        rows.map(({ batch_id }) => batch_id),
        ['btch_running'],
      )
      const draft = await kura.deps.db
        .selectFrom('batches')
        .select('object_count')
        .where('batch_id', '=', 'btch_draft')
        .executeTakeFirst()
      assert.equal(draft?.object_count, 0)
    })

    test('documents stay when their object goes, unless the delete cascades', async () => {
      const kept = await kura.create(bucket_id, { title: 'A' })
      const gone = await kura.create(bucket_id, { title: 'B' })
      await insertDocument(kura, 'doc_kept', kept.object_id)
      await insertDocument(kura, 'doc_gone', gone.object_id)
      await kura.request('DELETE', `${bucket_id}/objects/${kept.object_id}`)
      await kura.request('DELETE', `${bucket_id}/objects/${gone.object_id}?cascade=true`)
      const rows = await kura.deps.db.selectFrom('documents').select('document_id').execute()
      assert.deepEqual(
        rows.map(({ document_id }) => document_id),
        ['doc_kept'],
      )
    })

    test('auto_process makes and submits a batch of the new objects where a collection reads the bucket', async () => {
      const read = await kura.bucket({ schema: SCHEMA })
      const alone = await kura.create(read, { title: 'A' }, '?auto_process=true')
      assert.equal(alone.batch_id, undefined)
      const collection = {
        collection_name: 'copies',
        source: { type: 'bucket', bucket_ids: [read] },
        feature_extractor: { feature_extractor_name: 'passthrough_extractor', version: 'v1' },
      }
      const namespace = kura.namespace_id
      const made = await kura.app.inject({
        method: 'POST',
        url: '/v1/collections',
        headers: {
          authorization: `Bearer ${kura.key}`,
          'x-namespace': namespace,
          'content-type': 'application/json',
        },
        payload: JSON.stringify(collection),
      })
      assert.equal(made.statusCode, 200, made.body)
      const one = await kura.create(read, { title: 'B' }, '?auto_process=true')
      assert.match(one.batch_id, /^btch_/)
      assert.ok(one.task_id)
      const { body } = await kura.request('GET', `${read}/objects/${one.object_id}`)
      assert.equal(body.status, 'PENDING')
      const objects = [{ title: 'C' }, { title: 'D' }, {}]
      const many = await kura.request('POST', `${read}/objects/batch?auto_process=true`, {
        body: { objects },
      })
      const batch = await kura.request('GET', `${read}/batches/${many.body.batch_id}`)
      assert.equal(batch.body.object_count, 2)
      assert.equal((await kura.create(read, { title: 'E' })).batch_id, undefined)
    })

    test('every part that has the wrong shape is a 422 at its place', async () => {
      const { detail } = await kura.refuses(422, 'validation_error', bucket_id, {
        title: 'A',
        blobs: [{ data: 'x' }, 7],
        metadata: 'x',
        skip_duplicates: 'perhaps',
      })
      assert.deepEqual(
        detail.map(({ loc, type }: { loc: unknown[]; type: string }) => [loc.join('.'), type]),
        [
          ['body.blobs.0.property', 'missing'],
          ['body.blobs.1', 'dict_type'],
          ['body.metadata', 'dict_type'],
          ['body.skip_duplicates', 'bool_parsing'],
        ],
      )
    })

    test('concurrent creates all land, each with its own id and counted once', async () => {
      const busy = await kura.bucket({ schema: SCHEMA })
      const created = await Promise.all(
        Array.from({ length: 60 }, (_, i) => kura.create(busy, { title: `T${i}` })),
      )
      assert.equal(new Set(created.map(({ object_id }) => object_id)).size, 60)
      assert.equal((await stats(busy)).object_count, 60)
      assert.deepEqual(new Set(created.map(({ title }) => title)).size, 60)
    })
  })
}

const GIF = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'

async function insertBatch(
  { deps, namespace_id }: ObjectsApp,
  bucket_id: string,
  batch_id: string,
  status: string,
  object_id: string,
) {
  const at = '2026-01-01T00:00:00.000000Z'
  await deps.db
    .insertInto('batches')
    .values({
      namespace_id,
      batch_id,
      bucket_id,
      type: 'BUCKET',
      status,
      object_count: 1,
      total_tiers: 1,
      created_at: at,
      updated_at: at,
      internal_metadata: '{}',
      metadata: '{}',
    })
    .execute()
  await deps.db
    .insertInto('batch_objects')
    .values({ namespace_id, batch_id, position: 0, object_id })
    .execute()
}

async function insertDocument(
  { deps, namespace_id }: ObjectsApp,
  document_id: string,
  root_object_id: string,
) {
  const at = '2026-01-01T00:00:00.000000Z'
  await deps.db
    .insertInto('documents')
    .values({
      namespace_id,
      document_id,
      collection_id: 'col_x',
      row_key: document_id,
      root_object_id,
      created_at: at,
      updated_at: at,
      payload: '{}',
      internal: '{}',
      document_blobs: '[]',
    })
    .execute()
}
