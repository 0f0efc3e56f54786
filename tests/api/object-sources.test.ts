import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { KuraError } from '../../src/core/errors.ts'
import {
  createObjectService,
  type ObjectService,
  type OpenAddress,
} from '../../src/resources/objects/index.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
const DEFAULTS = { skip_duplicates: false, canonicalize_source: true, force_remirror: false }
const QUERY = { policy: null, auto_process: false }

for (const dialect of DIALECTS) {
  describe(`blobs from uploads and object stores (${dialect})`, () => {
    let kura: ObjectsApp
    let objects: ObjectService
    let bucket_id: string
    let file_id: string
    let discarded = 0

    /** A store with one picture and one file that breaks off. */
    const openAddress: OpenAddress = async (scope, address, { limit_bytes }) => {
      assert.deepEqual([scope.namespaceId, limit_bytes > 0], [kura.namespace_id, true])
      if (!address.startsWith('s3://ours/')) return null
      if (address.endsWith('gone')) throw new KuraError('source_item_gone')
      const bytes = address.endsWith('torn')
        ? Readable.from(torn())
        : Readable.from([GIF.subarray(0, 10), GIF.subarray(10)])
      const discard = () => {
        discarded += 1
      }
      return { body: bytes, mime_type: null, size_bytes: GIF.length, discard }
    }
    async function* torn() {
      yield Buffer.concat([GIF, Buffer.alloc(100_000)])
      throw new KuraError('connection_failed', { reason: 'the server closed the connection.' })
    }

    before(async () => {
      kura = await objectsApp(dialect)
      const { db, files, http, config } = kura.deps
      bucket_id = await kura.bucket({ schema: { properties: { hero: { type: 'image' } } } })
      const made = await kura.create(bucket_id, {
        hero: { base64: GIF.toString('base64'), filename: 'a.gif' },
      })
      file_id = made.blobs[0].properties.url.replace('kura://files/', '')
      objects = createObjectService({
        db,
        files,
        http,
        config,
        process: { submit: async () => null, wake: () => undefined },
        openAddress,
        findUpload: async (_scope, bucket, upload_id) => {
          if (bucket === bucket_id && upload_id === 'upl_done') return file_id
          throw new KuraError('upload_not_found', { resource: 'upload', id: upload_id })
        },
      })
    })
    after(() => kura.close())

    const create = (blob: { data?: unknown; upload_id?: string }, more: object = {}) =>
      objects.create(
        kura.scope,
        bucket_id,
        { ...DEFAULTS, blobs: [{ property: 'hero', ...blob }], ...more },
        QUERY,
      )

    test('an upload is a blob with the bytes of its file, shared and not copied, as often as one likes', async () => {
      const references = async () =>
        (
          await kura.deps.db
            .selectFrom('file_references')
            .select('owner_id')
            .where('file_id', '=', file_id)
            .execute()
        ).length
      const before = await references()
      const made = [await create({ upload_id: 'upl_done' }), await create({ upload_id: 'upl_done' })]
      for (const { blobs } of made) {
        assert.equal(blobs[0]!.properties.url, `kura://files/${file_id}`)
        assert.deepEqual(blobs[0]!.details.filename, 'a.gif')
      }
      assert.equal(await references(), before + 2)
      await assert.rejects(create({ upload_id: 'upl_other' }), { code: 'upload_not_found' })
      await assert.rejects(create({ upload_id: 'upl_done', data: 'x' }), { code: 'validation_error' })
    })

    test('an address that a connection covers is copied, or looked at and kept', async () => {
      const [copied] = (await create({ data: 's3://ours/pictures/dot.gif' })).blobs
      assert.deepEqual([copied!.details.filename, copied!.details.mime_type], ['dot.gif', 'image/gif'])
      assert.ok(GIF.equals(await kura.stored({ properties: { url: String(copied!.properties.url) } })))
      const kept = await create({ data: 's3://ours/pictures/dot.gif' }, { canonicalize_source: false })
      assert.equal(kept.blobs[0]!.properties.url, 's3://ours/pictures/dot.gif')
      assert.equal(discarded, 1)
    })

    test('an address that none covers, and one that breaks off, is an error and leaves nothing', async () => {
      const before = await kura.storedKeys()
      for (const data of ['s3://theirs/x.gif', 'gs://ours/x.gif', 's3://ours/gone', 's3://ours/torn'])
        await assert.rejects(create({ data }), { code: 'url_not_usable' })
      assert.deepEqual(await kura.storedKeys(), before)
    })

    test('when the batch of new objects cannot be submitted they are not created, and nothing of them stays', async () => {
      const { db, files, http, config } = kura.deps
      let woken = 0
      const process = {
        submit: async () => {
          throw new KuraError('processing_error')
        },
        wake: () => {
          woken += 1
        },
      }
      const server = createObjectService({ db, files, http, config, process })
      const large = { base64: Buffer.concat([GIF, Buffer.alloc(100_000)]).toString('base64') }
      const body = { ...DEFAULTS, blobs: [{ property: 'hero', data: large }] }
      const state = async () => [
        await kura.storedKeys(),
        (await kura.request('GET', bucket_id)).body.object_count,
        (await db.selectFrom('files').select('file_id').execute()).length,
      ]
      const before = await state()
      const query = { policy: null, auto_process: true }
      await assert.rejects(server.create(kura.scope, bucket_id, body, query), { code: 'processing_error' })
      await assert.rejects(server.createBatch(kura.scope, bucket_id, { objects: [body, body] }, query), {
        code: 'processing_error',
      })
      assert.deepEqual(await state(), before)
      assert.equal(woken, 0)
      const { object_id } = await server.create(kura.scope, bucket_id, body, QUERY)
      assert.match(object_id, /^obj_/)
    })
  })
}
