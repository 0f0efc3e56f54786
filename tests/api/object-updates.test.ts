import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { BucketSchema } from '../../src/core/bucket-schema.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS, type TestResponse } from '../support/test-app.ts'

const SCHEMA: BucketSchema = {
  properties: {
    title: { type: 'string', required: true },
    price: { type: 'number' },
    lang: { type: 'string', default: 'en' },
    a: { type: 'text' },
    b: { type: 'text' },
    hero: { type: 'image' },
  },
}
const GIF = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'

type Stored = { property: string; blob_id: string; properties: { text?: string } }

for (const dialect of DIALECTS) {
  describe(`updates of objects (${dialect})`, () => {
    let kura: ObjectsApp
    let bucket_id: string
    before(async () => {
      kura = await objectsApp(dialect)
      bucket_id = await kura.bucket({ schema: SCHEMA })
    })
    after(() => kura.close())

    const change = (method: 'PUT' | 'PATCH', id: string, body: unknown): Promise<TestResponse> =>
      kura.request(method, `${bucket_id}/objects/${id}`, { body })
    const changed = async (method: 'PUT' | 'PATCH', id: string, body: unknown) => {
      const answer = await change(method, id, body)
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body
    }
    const texts = (object: { blobs: Stored[] }) =>
      object.blobs.map(({ property, properties }) => `${property}:${properties.text}`)
    const complete = (id: string, status = 'COMPLETED') =>
      kura.deps.db
        .updateTable('objects')
        .set({ status, error: status === 'FAILED' ? 'why' : null })
        .where('object_id', '=', id)
        .execute()

    test('PUT sets the given members and merges metadata at its top level', async () => {
      const made = await kura.create(bucket_id, {
        title: 'A',
        price: 1,
        metadata: { m: { x: 1 }, n: 1 },
        key_prefix: 'p',
      })
      const put = await changed('PUT', made.object_id, {
        price: 2,
        metadata: { m: { y: 2 }, o: null },
        extra: 'new',
      })
      const { title, price, metadata, extra, key_prefix, created_at } = put
      assert.deepEqual(
        { title, price, metadata, extra, key_prefix, created_at },
        {
          title: 'A',
          price: 2,
          metadata: { m: { y: 2 }, n: 1, o: null },
          extra: 'new',
          key_prefix: 'p',
          created_at: made.created_at,
        },
      )
      assert.ok(put.updated_at > made.updated_at)
      assert.deepEqual((await kura.request('GET', `${bucket_id}/objects/${made.object_id}`)).body, put)
    })

    test('PATCH removes with null, in metadata too, and an empty PATCH is refused', async () => {
      const { object_id } = await kura.create(bucket_id, {
        title: 'A',
        price: 1,
        metadata: { m: 1, n: 1 },
        key_prefix: 'p',
      })
      const patched = await changed('PATCH', object_id, {
        price: null,
        metadata: { m: null },
        key_prefix: null,
      })
      assert.deepEqual(patched.metadata, { n: 1 })
      assert.ok(!('price' in patched) && !('key_prefix' in patched))
      for (const body of [{}, { object_id: 'obj_x', status: 'DRAFT' }]) {
        const { status, body: answer } = await change('PATCH', object_id, body)
        assert.deepEqual([status, answer.error.code], [400, 'empty_update'])
      }
    })

    test('the merged object must fit the schema; defaults are for new objects only', async () => {
      const { object_id } = await kura.create(bucket_id, { title: 'A' })
      for (const [method, body] of [
        ['PATCH', { title: null }],
        ['PUT', { title: null }],
        ['PUT', { price: 'much' }],
      ] as const) {
        const answer = await change(method, object_id, body)
        assert.deepEqual([answer.status, answer.body.error.code], [422, 'schema_validation_failed'])
      }
      assert.equal((await changed('PATCH', object_id, { lang: null })).lang, undefined)
    })

    test('given blobs replace those of their property, the others stay where they are', async () => {
      const made = await kura.create(bucket_id, {
        title: 'A',
        blobs: [
          { property: 'a', data: '1' },
          { property: 'b', data: '2' },
          { property: 'a', data: '3' },
        ],
      })
      const put = await changed('PUT', made.object_id, { blobs: [{ property: 'a', data: 'new' }] })
      assert.deepEqual(texts(put), ['a:new', 'b:2'])
      assert.equal(put.blobs[1].blob_id, made.blobs[1].blob_id)
      const more = await changed('PATCH', made.object_id, { hero: GIF })
      assert.deepEqual(
        more.blobs.map(({ property }: Stored) => property),
        ['a', 'b', 'hero'],
      )
      const fewer = await changed('PATCH', made.object_id, { hero: null })
      assert.deepEqual(texts(fewer), ['a:new', 'b:2'])
    })

    test('an object sent back as it was got keeps its blobs', async () => {
      const made = await kura.create(bucket_id, {
        title: 'A',
        blobs: [
          { property: 'a', data: '1' },
          { property: 'hero', data: GIF },
        ],
      })
      const put = await changed('PUT', made.object_id, { ...made, title: 'B' })
      assert.deepEqual(put.blobs, made.blobs)
      assert.equal(put.title, 'B')
      const wrong = await change('PUT', made.object_id, { blobs: [{ property: 'a', blob_id: 'blob_other' }] })
      assert.equal(wrong.status, 422)
    })

    test('changed blobs make an object a draft again, changed fields do not', async () => {
      const { object_id } = await kura.create(bucket_id, {
        title: 'A',
        blobs: [{ property: 'a', data: '1' }],
      })
      await complete(object_id, 'FAILED')
      const failed = await changed('PUT', object_id, { title: 'B' })
      assert.deepEqual([failed.status, failed.error], ['FAILED', 'why'])
      const draft = await changed('PUT', object_id, { blobs: [{ property: 'a', data: '2' }] })
      assert.deepEqual([draft.status, draft.error], ['DRAFT', undefined])
      await complete(object_id)
      assert.equal((await changed('PATCH', object_id, { a: null, price: 1 })).status, 'DRAFT')
    })

    test('replaced bytes are deleted, and bytes of a refused update too', async () => {
      const large = (letter: string) => [{ property: 'a', data: letter.repeat(100_000) }]
      const before = (await kura.storedKeys()).length
      const { object_id } = await kura.create(bucket_id, { title: 'A', blobs: large('a') })
      await changed('PUT', object_id, { blobs: large('b') })
      assert.equal((await kura.storedKeys()).length, before + 1)
      assert.equal((await change('PUT', object_id, { title: 5, blobs: large('c') })).status, 422)
      assert.equal((await change('PUT', 'obj_missing', { blobs: large('d') })).status, 404)
      assert.equal((await kura.storedKeys()).length, before + 1)
    })

    test('updates of one object at once all land', async () => {
      const { object_id } = await kura.create(bucket_id, { title: 'A' })
      await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          changed('PATCH', object_id, { [`field_${i}`]: i, metadata: { [`m${i}`]: i } }),
        ),
      )
      const { body } = await kura.request('GET', `${bucket_id}/objects/${object_id}`)
      assert.equal(Object.keys(body).filter((name) => name.startsWith('field_')).length, 10)
      assert.equal(Object.keys(body.metadata).length, 10)
    })
  })
}
