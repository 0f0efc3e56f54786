import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { BucketSchema } from '../../src/core/bucket-schema.ts'
import { createObjectService } from '../../src/resources/objects/index.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS, type TestResponse } from '../support/test-app.ts'

const SCHEMA: BucketSchema = {
  properties: {
    sku: { type: 'string', required: true },
    size: { type: 'number' },
    title: { type: 'string', required: true },
    body: { type: 'text' },
  },
}

for (const dialect of DIALECTS) {
  describe(`unique keys, duplicates and batches (${dialect})`, () => {
    let kura: ObjectsApp
    before(async () => {
      kura = await objectsApp(dialect)
    })
    after(() => kura.close())

    const keyed = (unique_key: object = { fields: ['sku'] }) => kura.bucket({ schema: SCHEMA, unique_key })
    const count = async (id: string) => (await kura.request('GET', id)).body.object_count

    test('without a policy a keyed bucket refuses; its default policy counts; an unknown one is a 422', async () => {
      const id = await keyed()
      await kura.refuses(400, 'policy_required', id, { sku: 'a', title: 'A' })
      await kura.refuses(422, 'validation_error', id, { sku: 'a', title: 'A' }, '?policy=replace')
      const defaulted = await keyed({ fields: ['sku'], default_policy: 'insert' })
      assert.equal((await kura.create(defaulted, { sku: 'a', title: 'A' })).created, true)
    })

    test('a policy means nothing in a bucket without a unique key', async () => {
      const id = await kura.bucket({ schema: SCHEMA })
      for (const policy of ['insert', 'update', 'upsert'])
        assert.equal(
          (await kura.create(id, { sku: 'a', title: 'A' }, `?policy=${policy}`)).created,
          undefined,
        )
      assert.equal(await count(id), 3)
    })

    test('insert creates once and then answers 409 with the existing object', async () => {
      const id = await keyed()
      const { object_id } = await kura.create(id, { sku: 'a', title: 'A' }, '?policy=insert')
      const { error } = await kura.refuses(
        409,
        'unique_key_exists',
        id,
        { sku: 'a', title: 'B' },
        '?policy=INSERT',
      )
      assert.equal(error.type, 'AlreadyExistsError')
      assert.deepEqual(error.details, { existing_object_id: object_id, unique_key: { sku: 'a' } })
      await kura.create(id, { sku: 'A', title: 'case counts' }, '?policy=insert')
    })

    test('update changes in place and is a 404 for a new key', async () => {
      const id = await keyed()
      await kura.refuses(404, 'unique_key_not_found', id, { sku: 'a', title: 'A' }, '?policy=update')
      const first = await kura.create(
        id,
        { sku: 'a', title: 'A', metadata: { x: 1 }, keep: 1 },
        '?policy=insert',
      )
      await kura.deps.db
        .updateTable('objects')
        .set({ status: 'COMPLETED' })
        .where('object_id', '=', first.object_id)
        .execute()
      const second = await kura.create(id, { sku: 'a', metadata: { y: 2 }, more: 2 }, '?policy=update')
      assert.equal(second.object_id, first.object_id)
      assert.equal(second.created_at, first.created_at)
      assert.ok(second.updated_at > first.updated_at)
      assert.equal(second.created, false)
      assert.equal(second.status, 'DRAFT')
      const { title, metadata, keep, more } = second
      assert.deepEqual(
        { title, metadata, keep, more },
        { title: 'A', metadata: { x: 1, y: 2 }, keep: 1, more: 2 },
      )
      assert.equal(await count(id), 1)
    })

    test('upsert does either, and the merged object must fit the schema', async () => {
      const id = await keyed()
      await kura.refuses(422, 'schema_validation_failed', id, { sku: 'a' }, '?policy=upsert')
      assert.equal((await kura.create(id, { sku: 'a', title: 'A' }, '?policy=upsert')).created, true)
      assert.equal((await kura.create(id, { sku: 'a', size: 1 }, '?policy=upsert')).created, false)
      await kura.refuses(422, 'schema_validation_failed', id, { sku: 'a', size: 'big' }, '?policy=upsert')
    })

    test('numbers are equal by value, keys may have several fields in any place', async () => {
      const id = await keyed({ fields: ['sku', 'size'] })
      const one = await kura.create(id, { sku: 'a', size: 1, title: 'A' }, '?policy=upsert')
      const same = await kura.create(id, { metadata: { sku: 'a', size: 1.0 }, title: 'B' }, '?policy=upsert')
      assert.equal(same.object_id, one.object_id)
      assert.equal((await kura.create(id, { sku: 'a', size: 2, title: 'A' }, '?policy=upsert')).created, true)
    })

    test('a key without a usable value is a 422 that names the field', async () => {
      const id = await keyed()
      for (const sku of ['', 'x'.repeat(256)]) {
        const { error, detail } = await kura.refuses(
          422,
          'unique_key_missing',
          id,
          { sku, title: 'A' },
          '?policy=insert',
        )
        assert.equal(error.details.field, 'sku')
        assert.deepEqual([detail[0].loc, detail[0].type], [['body', 'sku'], 'value_error'])
      }
    })

    test('of racing inserts one wins; racing upserts all land on one object', async () => {
      const id = await keyed()
      const race = (policy: string) =>
        Promise.all(
          Array.from({ length: 12 }, (_, i) =>
            kura.request('POST', `${id}/objects?policy=${policy}`, { body: { sku: policy, title: `T${i}` } }),
          ),
        )
      const statuses = (await race('insert')).map(({ status }) => status).sort()
      assert.deepEqual(statuses, [200, ...Array.from({ length: 11 }, () => 409)])
      const upserts = await race('upsert')
      assert.ok(upserts.every(({ status }) => status === 200))
      assert.equal(new Set(upserts.map(({ body }) => body.object_id)).size, 1)
      assert.equal(upserts.filter(({ body }) => body.created).length, 1)
      assert.equal(await count(id), 2)
    })

    test('two servers that take the same keys in opposite orders both succeed', async () => {
      const id = await keyed({ fields: ['sku'], default_policy: 'upsert' })
      const { db, files, http, config } = kura.deps
      const servers = [1, 2].map(() =>
        createObjectService({
          db,
          files,
          http,
          config,
          process: { submit: async () => null, wake: () => undefined },
        }),
      )
      const objects = Array.from({ length: 30 }, (_, i) => ({ sku: `k${i}`, title: 'T' }))
      const query = { policy: null, auto_process: false }
      for (let round = 0; round < 5; round++) {
        const answers = await Promise.all(
          servers.map((server, i) =>
            server.createBatch(kura.scope, id, { objects: i === 0 ? objects : objects.toReversed() }, query),
          ),
        )
        assert.deepEqual(
          answers.map(({ succeeded_count }) => succeeded_count),
          [30, 30],
        )
      }
      assert.equal(await count(id), 30)
    })

    test('delete frees the key, and a changed key is checked again', async () => {
      const id = await keyed({ fields: ['sku'], default_policy: 'insert' })
      const a = await kura.create(id, { sku: 'a', title: 'A' })
      const b = await kura.create(id, { sku: 'b', title: 'B' })
      const taken = await kura.request('PATCH', `${id}/objects/${b.object_id}`, { body: { sku: 'a' } })
      assert.deepEqual([taken.status, taken.body.error.code], [409, 'unique_key_exists'])
      await kura.request('DELETE', `${id}/objects/${a.object_id}`)
      assert.equal(
        (await kura.request('PATCH', `${id}/objects/${b.object_id}`, { body: { sku: 'a' } })).status,
        200,
      )
      await kura.create(id, { sku: 'b', title: 'B' })
    })

    test('replaced blobs of an update give their bytes back', async () => {
      const id = await keyed({ fields: ['sku'], default_policy: 'upsert' })
      const large = (letter: string) => ({
        sku: 'a',
        title: 'A',
        blobs: [{ property: 'body', data: letter.repeat(100_000) }],
      })
      await kura.create(id, large('a'))
      const keys = (await kura.storedKeys()).length
      const updated = await kura.create(id, large('b'))
      assert.equal((await kura.storedKeys()).length, keys)
      assert.equal(updated.blobs.length, 1)
      assert.equal((await kura.stored(updated.blobs[0])).toString(), 'b'.repeat(100_000))
    })

    test('skip_duplicates returns the object that has the same content, else shares equal bytes', async () => {
      const id = await kura.bucket({ schema: { properties: { a: { type: 'text' }, b: { type: 'text' } } } })
      const text = 'same '.repeat(20_000)
      const blobs = [{ property: 'a', data: text }]
      const first = await kura.create(id, { blobs, n: 1 })
      const keys = await kura.storedKeys()
      const again = await kura.create(id, { blobs, n: 2, skip_duplicates: true })
      assert.deepEqual(again, first)
      const shared = await kura.create(id, {
        blobs: [...blobs, { property: 'b', data: 'more' }],
        skip_duplicates: true,
      })
      assert.notEqual(shared.object_id, first.object_id)
      assert.equal(shared.blobs[0].properties.url, first.blobs[0].properties.url)
      assert.deepEqual(await kura.storedKeys(), keys, 'equal bytes are stored once')
      const elsewhere = await kura.create(id, {
        blobs: [{ property: 'b', data: text }],
        skip_duplicates: true,
      })
      assert.notEqual(elsewhere.object_id, first.object_id)
      const own = await kura.create(id, { blobs })
      assert.notEqual(own.blobs[0].properties.url, first.blobs[0].properties.url)
      const forced = await kura.create(id, {
        blobs: [...blobs, { property: 'b', data: 'forced' }],
        skip_duplicates: true,
        force_remirror: true,
      })
      assert.notEqual(forced.blobs[0].properties.url, first.blobs[0].properties.url)
      await kura.request('DELETE', `${id}/objects/${first.object_id}`)
      assert.equal((await kura.stored(shared.blobs[0])).toString(), text)
    })

    test('racing duplicates become one object', async () => {
      const id = await kura.bucket({ schema: { properties: { a: { type: 'text' } } } })
      const created = await Promise.all(
        Array.from({ length: 8 }, () =>
          kura.create(id, { blobs: [{ property: 'a', data: 'race' }], skip_duplicates: true }),
        ),
      )
      assert.equal(new Set(created.map(({ object_id }) => object_id)).size, 1)
      assert.equal(await count(id), 1)
    })

    describe('batches', () => {
      const batch = (id: string, objects: unknown, query = ''): Promise<TestResponse> =>
        kura.request('POST', `${id}/objects/batch${query}`, { body: { objects } })

      test('objects are judged alone, in the order in which they were sent', async () => {
        const id = await kura.bucket({ schema: SCHEMA })
        const { status, body } = await batch(id, [
          { sku: 'a', title: 'A' },
          { sku: 'b' },
          7,
          { sku: 'c', title: 'C', blobs: [{ property: 'nowhere', data: 'x' }] },
          { sku: 'd', title: 'D', blobs: [{ property: 'body', url: 'text' }] },
        ])
        assert.equal(status, 200)
        assert.deepEqual(
          body.succeeded.map(({ sku }: { sku: string }) => sku),
          ['a', 'd'],
        )
        assert.deepEqual(
          body.failed.map(({ object_index, error_type }: { object_index: number; error_type: string }) => [
            object_index,
            error_type,
          ]),
          [1, 2, 3].map((i) => [i, 'ValidationError']),
        )
        assert.match(body.failed[0].error, /Schema validation failed: title: Field required/)
        assert.match(body.failed[2].error, /blobs\.0\.property: "nowhere"/)
        const { total_requested, succeeded_count, failed_count } = body
        assert.deepEqual([total_requested, succeeded_count, failed_count], [5, 2, 3])
        assert.equal(await count(id), 2)
      })

      test('when every object fails the request fails, with the same details', async () => {
        const id = await kura.bucket({ schema: SCHEMA })
        const { status, body } = await batch(id, [{ sku: 'a' }, { title: 'B' }])
        assert.deepEqual([status, body.error.code], [400, 'all_objects_failed'])
        const { failed, succeeded, failed_count } = body.error.details
        assert.deepEqual([failed.length, succeeded, failed_count], [2, [], 2])
      })

      test('one to a hundred objects', async () => {
        const id = await kura.bucket({ schema: SCHEMA })
        const object = { sku: 'a', title: 'A' }
        for (const objects of [[], Array(101).fill(object), undefined, 'x', {}])
          assert.equal((await batch(id, objects)).status, 422)
        assert.equal((await batch(id, Array(100).fill(object))).body.succeeded_count, 100)
        assert.equal(await count(id), 100)
      })

      test('equal keys of one request are applied in order, under the policy', async () => {
        const id = await keyed()
        const objects = [
          { sku: 'a', title: 'first' },
          { sku: 'b', title: 'other' },
          { sku: 'a', title: 'second' },
        ]
        assert.equal((await batch(id, objects)).body.error.code, 'policy_required')
        const inserted = (await batch(id, objects, '?policy=insert')).body
        assert.deepEqual(
          [inserted.succeeded_count, inserted.failed[0].object_index, inserted.failed[0].error_type],
          [2, 2, 'AlreadyExistsError'],
        )
        const upserted = (await batch(id, objects, '?policy=upsert')).body
        assert.deepEqual(
          upserted.succeeded.map(({ created }: { created: boolean }) => created),
          [false, false, false],
        )
        assert.equal(
          (await kura.request('GET', `${id}/objects/${inserted.succeeded[0].object_id}`)).body.title,
          'second',
        )
        assert.equal(await count(id), 2)
      })
    })
  })
}
