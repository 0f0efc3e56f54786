import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { BucketSchema } from '../../src/core/bucket-schema.ts'
import { sha256 } from '../../src/core/ids.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

const SCHEMA: BucketSchema = {
  properties: {
    body: { type: 'text' },
    hero: { type: 'image' },
    clip: { type: 'video' },
    sound: { type: 'audio' },
    paper: { type: 'pdf' },
    sheet: { type: 'excel' },
    specs: { type: 'object', properties: { weight: { type: 'number' } } },
    tags: { type: 'array', items: { type: 'string' } },
    stars: { type: 'integer' },
  },
}
const GIF = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const PDF = Buffer.from('%PDF-1.4\n%âãÏÓ\n1 0 obj<<>>endobj\n').toString('base64')

for (const dialect of DIALECTS) {
  describe(`blobs of objects (${dialect})`, () => {
    let kura: ObjectsApp
    let bucket_id: string
    before(async () => {
      kura = await objectsApp(dialect, { KURA_INLINE_BLOB_LIMIT_BYTES: '300000' })
      bucket_id = await kura.bucket({ schema: SCHEMA })
    })
    after(() => kura.close())

    const fileCount = async () => (await kura.deps.db.selectFrom('files').select('file_id').execute()).length
    const blob = async (one: object) => (await kura.create(bucket_id, { blobs: [one] })).blobs[0]

    test('text is stored as a file and also readable in the object', async () => {
      const created = await blob({
        property: 'body',
        type: 'text',
        data: 'Grüße',
        key_prefix: 'de',
        metadata: { page: 3 },
      })
      assert.match(created.blob_id, /^blob_[a-z0-9]{12}$/)
      assert.equal(created.key_prefix, 'de')
      assert.match(created.properties.url, /^kura:\/\/files\/file_/)
      assert.equal(created.properties.text, 'Grüße')
      assert.equal(created.properties.page, 3)
      assert.deepEqual(created.details, {
        size_bytes: 7,
        mime_type: 'text/plain',
        hash: sha256('Grüße'),
      })
      assert.equal((await kura.stored(created)).toString(), 'Grüße')
    })

    test('text of any size up to the limit is kept in full', async () => {
      const text = 'é'.repeat(100_000)
      const created = await blob({ property: 'body', data: text })
      assert.equal(created.properties.text, text)
      assert.equal((await kura.stored(created)).toString(), text)
      const { error } = await kura.refuses(400, 'inline_blob_too_large', bucket_id, {
        blobs: [{ property: 'body', data: 'x'.repeat(300_001) }],
      })
      assert.equal(error.details.limit_bytes, 300_000)
    })

    test('files come as base64 object, data URI, bare base64, in three alphabets', async () => {
      const bytes = Buffer.from(GIF, 'base64')
      for (const data of [
        { base64: GIF, mime_type: 'image/gif', filename: 'dot.gif' },
        { base64: `data:image/gif;base64,${GIF}` },
        `data:image/gif;base64,${GIF}`,
        GIF,
        GIF.replace(/=+$/, ''),
        bytes.toString('base64url'),
        GIF.replace(/(.{20})/g, '$1\n'),
      ]) {
        const created = await blob({ property: 'hero', data })
        assert.equal(created.details.mime_type, 'image/gif')
        assert.equal(created.details.size_bytes, bytes.length)
        assert.ok(bytes.equals(await kura.stored(created)))
      }
      const named = await blob({ property: 'hero', data: { base64: GIF, filename: '../../etc/dot.gif' } })
      assert.equal(named.details.filename, 'dot.gif')
    })

    test('what the content shows wins over what is declared, and must fit the property', async () => {
      const lied = await blob({
        property: 'hero',
        data: { base64: PNG, mime_type: 'image/jpeg', filename: 'a.jpg' },
      })
      assert.equal(lied.details.mime_type, 'image/png')
      for (const [property, data] of [
        ['hero', { base64: PDF, mime_type: 'image/png' }],
        ['paper', { base64: PNG, mime_type: 'application/pdf' }],
        ['clip', PNG],
        ['sound', PNG],
        ['sheet', PNG],
        ['body', { base64: PNG }],
        ['hero', Buffer.from('just words, no picture').toString('base64')],
      ] as const) {
        const { error } = await kura.refuses(422, 'blob_type_mismatch', bucket_id, {
          blobs: [{ property, data }],
        })
        assert.match(error.message, new RegExp(`"${property}"`))
      }
    })

    test('a GIF is an image and a video, as the schema says', async () => {
      assert.equal((await blob({ property: 'hero', data: GIF })).type, 'image')
      assert.equal((await blob({ property: 'clip', data: GIF })).type, 'video')
    })

    test('CSV is a spreadsheet and text', async () => {
      const base64 = Buffer.from('a,b\n1,2\n3,4\n').toString('base64')
      for (const property of ['sheet', 'body']) {
        const created = await blob({ property, data: { base64, filename: 'a.csv' } })
        assert.equal(created.details.mime_type, 'text/csv')
        assert.equal(created.details.filename, 'a.csv')
      }
    })

    test('inline JSON is kept in the properties and checked by its field', async () => {
      const specs = await blob({
        property: 'specs',
        type: 'object',
        data: { weight: 3, color: 'red' },
        metadata: { by: 'me' },
      })
      assert.deepEqual(specs.properties, { weight: 3, color: 'red', by: 'me' })
      assert.equal(specs.details.mime_type, 'application/json')
      assert.deepEqual((await blob({ property: 'tags', data: ['a', 'b'] })).properties, { data: ['a', 'b'] })
      assert.deepEqual((await blob({ property: 'stars', data: 4 })).properties, { data: 4 })
      for (const [property, data] of [
        ['specs', { weight: 'heavy' }],
        ['specs', 'x'],
        ['tags', [1]],
        ['stars', 4.5],
      ] as const)
        await kura.refuses(422, 'schema_validation_failed', bucket_id, { blobs: [{ property, data }] })
    })

    test('exactly one source; property and type must be those of the schema', async () => {
      for (const wrong of [
        { property: 'body' },
        { property: 'body', data: null },
        { property: 'body', data: 'x', upload_id: 'upl_1' },
        { property: 'nowhere', data: 'x' },
        { property: 'body', type: 'image', data: 'x' },
        { property: 'hero', data: 'no base64 at all!' },
        { property: 'hero', data: 42 },
        { property: 'hero', data: [GIF] },
        { property: 'hero', data: { base64: '***' } },
        { property: 'hero', data: { filename: 'x' } },
        { property: 'body', data: 'x', key_prefix: '../up' },
        { property: 'body', data: 'x', type: 'blob' },
        { property: 'body', blob_id: 'blob_unknown' },
      ])
        await kura.refuses(422, 'validation_error', bucket_id, { blobs: [wrong] })
      const unknown = { blobs: [{ property: 'body', upload_id: 'upl_unknown' }] }
      await kura.refuses(404, 'upload_not_found', bucket_id, unknown)
    })

    test('older spellings: url for data, types in any case or under legacy names', async () => {
      assert.equal((await blob({ property: 'hero', url: `data:image/gif;base64,${GIF}` })).type, 'image')
      assert.equal((await blob({ property: 'hero', type: 'IMAGE', data: GIF })).type, 'image')
      assert.equal((await blob({ property: 'specs', type: 'json', data: {} })).type, 'object')
      assert.equal((await blob({ property: 'paper', type: 'document', data: PDF })).type, 'pdf')
    })

    test('a root value of a file property is a blob; a root string of a text property stays a field', async () => {
      const created = await kura.create(bucket_id, {
        hero: `data:image/gif;base64,${GIF}`,
        clip: [GIF, { base64: GIF }],
        body: 'root words',
        paper: null,
      })
      assert.equal(created.body, 'root words')
      assert.equal(created.hero, undefined)
      assert.deepEqual(
        created.blobs.map(({ property }: { property: string }) => property),
        ['hero', 'clip', 'clip'],
      )
    })

    test('a root blob finds its property: content, the only file property, the only one that fits', async () => {
      const placed = async (properties: BucketSchema['properties'], blob: unknown) => {
        const id = await kura.bucket({ schema: { properties } })
        return (await kura.create(id, { blob })).blobs[0].property
      }
      const two = { content: { type: 'image' }, other: { type: 'image' } } as const
      assert.equal(await placed(two, { data: GIF }), 'content')
      assert.equal(await placed({ pic: { type: 'image' }, n: { type: 'string' } }, { url: GIF }), 'pic')
      assert.equal(await placed({ pic: { type: 'image' } }, GIF), 'pic')
      const mixed = { pic: { type: 'image' }, doc: { type: 'pdf' }, words: { type: 'text' } } as const
      assert.equal(await placed(mixed, { data: { base64: PDF } }), 'doc')
      assert.equal(await placed(mixed, 'plain words'), 'words')
      assert.equal(await placed(mixed, { data: GIF, type: 'image' }), 'pic')
      const twins = await kura.bucket({
        schema: { properties: { a: { type: 'image' }, b: { type: 'image' } } },
      })
      await kura.refuses(422, 'blob_property_ambiguous', twins, { blob: { data: { base64: GIF } } })
      const none = await kura.bucket({ schema: { properties: { n: { type: 'string' } } } })
      await kura.refuses(422, 'blob_property_ambiguous', none, { blob: { data: 'x' } })
    })

    test('a required file property needs a blob, wherever it comes from', async () => {
      const id = await kura.bucket({
        schema: {
          properties: { pic: { type: 'image', required: true }, words: { type: 'text', required: true } },
        },
      })
      await kura.create(id, { pic: GIF, words: 'x' })
      await kura.create(id, { blob: { data: { base64: GIF } }, words: 'x' })
      await kura.create(id, { pic: GIF, blobs: [{ property: 'words', data: 'x' }] })
      for (const body of [
        { words: 'x' },
        { pic: GIF },
        { pic: null, words: 'x' },
        { blob: { data: { base64: GIF } } },
      ])
        await kura.refuses(422, 'schema_validation_failed', id, body)
    })

    test('several blobs of one property keep their order', async () => {
      const blobs = ['a', 'b', 'c'].map((data) => ({ property: 'body', data }))
      const created = await kura.create(bucket_id, { blobs })
      assert.deepEqual(
        created.blobs.map(({ properties }: { properties: { text: string } }) => properties.text),
        ['a', 'b', 'c'],
      )
    })

    test('a stored file can be used again by its address, and lives as long as either object', async () => {
      const first = await kura.create(bucket_id, { blobs: [{ property: 'body', data: 'again' }] })
      const address = first.blobs[0].properties.url
      const second = await kura.create(bucket_id, { blobs: [{ property: 'body', data: address }] })
      assert.equal(second.blobs[0].properties.url, address)
      assert.equal(second.blobs[0].details.hash, first.blobs[0].details.hash)
      await kura.request('DELETE', `${bucket_id}/objects/${first.object_id}`)
      assert.equal((await kura.stored(second.blobs[0])).toString(), 'again')
      const unknown = { blobs: [{ property: 'body', data: 'kura://files/file_unknown' }] }
      await kura.refuses(404, 'file_not_found', bucket_id, unknown)
    })

    test('when one blob is refused nothing of the object stays, not even its other bytes', async () => {
      const before = await kura.storedKeys()
      const files = await fileCount()
      const { object_count } = (await kura.request('GET', bucket_id)).body
      const large = Buffer.concat([Buffer.from(GIF, 'base64'), Buffer.alloc(100_000)]).toString('base64')
      await kura.refuses(422, 'blob_type_mismatch', bucket_id, {
        blobs: [
          { property: 'hero', data: { base64: large } },
          { property: 'paper', data: { base64: large } },
        ],
      })
      assert.deepEqual(await kura.storedKeys(), before)
      assert.equal((await kura.request('GET', bucket_id)).body.object_count, object_count)
      assert.equal(await fileCount(), files)
    })
  })
}
