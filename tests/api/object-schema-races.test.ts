import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createObjectCreator, createObjectService } from '../../src/resources/objects/index.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

const SIZE_IS_TEXT = { properties: { size: { type: 'string' as const }, body: { type: 'text' as const } } }
const SIZE_IS_NUMBER = { properties: { size: { type: 'integer' }, body: { type: 'text' } } }
const QUERY = { policy: null, auto_process: false }

for (const dialect of DIALECTS) {
  describe(`objects that meet a change of their bucket's schema (${dialect})`, () => {
    let kura: ObjectsApp
    let file_id: string
    before(async () => {
      kura = await objectsApp(dialect)
      const other = await kura.bucket({ schema: SIZE_IS_TEXT })
      const { blobs } = await kura.create(other, { blobs: [{ property: 'body', data: 'some text' }] })
      file_id = blobs[0].properties.url.replace('kura://files/', '')
    })
    after(() => kura.close())

    const patch = (bucket_id: string, bucket_schema: object) =>
      kura.request('PATCH', bucket_id, { body: { bucket_schema } })

    /** Does something once, between the check of an object and the transaction that writes it. */
    const meanwhile = (work: () => Promise<unknown>) => {
      let done: Promise<unknown> | undefined
      let looked = 0
      const { db, files, http, config } = kura.deps
      const deps = {
        db,
        files,
        http,
        config,
        findUpload: async () => {
          looked++
          done ??= work()
          await done
          return file_id
        },
      }
      return { deps, looked: () => looked }
    }
    const service = (deps: ReturnType<typeof meanwhile>['deps']) =>
      createObjectService({ ...deps, process: { submit: async () => null, wake: () => undefined } })

    const body = (size: unknown) => ({
      size,
      blobs: [{ property: 'body', upload_id: 'upl_1' }],
      skip_duplicates: false,
      canonicalize_source: true,
      force_remirror: false,
    })

    const countOf = async (bucket_id: string) => (await kura.request('GET', bucket_id)).body.object_count

    test('an object that no longer fits is refused, and nothing of it is stored', async () => {
      const bucket_id = await kura.bucket({ schema: SIZE_IS_TEXT })
      const { deps } = meanwhile(() => patch(bucket_id, SIZE_IS_NUMBER))
      const objects = service(deps)
      await assert.rejects(objects.create(kura.scope, bucket_id, body('large'), QUERY), {
        code: 'schema_validation_failed',
      })
      assert.equal(await countOf(bucket_id), 0)
    })

    test('an object that lacks what is required by now is refused in a batch, its neighbour is stored', async () => {
      const bucket_id = await kura.bucket({ schema: SIZE_IS_TEXT })
      const required = {
        properties: { ...SIZE_IS_TEXT.properties, size: { type: 'string', required: true } },
      }
      const { deps } = meanwhile(() => patch(bucket_id, required))
      const answer = await service(deps).createBatch(
        kura.scope,
        bucket_id,
        { objects: [body(undefined), body('large')] },
        QUERY,
      )
      assert.deepEqual([answer.succeeded_count, answer.failed_count], [1, 1])
      assert.equal(answer.failed[0]?.object_index, 0)
      assert.equal(await countOf(bucket_id), 1)
    })

    test('an object that fits the new schema too is stored by it', async () => {
      const bucket_id = await kura.bucket({ schema: SIZE_IS_TEXT })
      const { deps, looked } = meanwhile(() => patch(bucket_id, SIZE_IS_NUMBER))
      const object = await service(deps).create(kura.scope, bucket_id, body(null), QUERY)
      assert.equal(looked(), 2)
      assert.equal(object.blobs?.length, 1)
      assert.equal(await countOf(bucket_id), 1)
    })

    test('objects that come with something else of another resource are checked again too', async () => {
      const bucket_id = await kura.bucket({ schema: SIZE_IS_TEXT })
      const { deps } = meanwhile(() => patch(bucket_id, SIZE_IS_NUMBER))
      const record = {
        bucket_id,
        bucket_name: 'b',
        status: 'ACTIVE',
        is_locked: false,
        storage_class: null,
        schema: SIZE_IS_TEXT as never,
        schema_version: 0,
        unique_key: null,
        object_count: 0,
      }
      const object = { body: body('large'), policy: null, loc: ['object'] }
      await assert.rejects(
        createObjectCreator(deps).createWith(kura.scope, record, object, (_trx, create) => create()),
        { code: 'schema_validation_failed' },
      )
      assert.equal(await countOf(bucket_id), 0)
    })

    test('changes that every object survives make nobody check again', async () => {
      const bucket_id = await kura.bucket({ schema: SIZE_IS_TEXT })
      const more = { properties: { ...SIZE_IS_TEXT.properties, color: { type: 'string' } } }
      const { deps, looked } = meanwhile(() => patch(bucket_id, more))
      await service(deps).create(kura.scope, bucket_id, body('large'), QUERY)
      assert.equal(looked(), 1)
    })

    test('whoever comes first in a race of schema and object, what is stored fits', async () => {
      const seen = new Set<string>()
      const round = async () => {
        const bucket_id = await kura.bucket({ schema: SIZE_IS_TEXT })
        const object = kura.request('POST', `${bucket_id}/objects`, { body: { size: 'large' } })
        const [{ status: changed }, { status: created }] = await Promise.all([
          patch(bucket_id, SIZE_IS_NUMBER),
          object,
        ])
        seen.add(`${changed} ${created}`)
        assert.equal(await countOf(bucket_id), created === 200 ? 1 : 0)
      }
      await Promise.all(Array.from({ length: 40 }, round))
      // The object was first, or the schema.
      for (const outcome of seen) assert.ok(['400 200', '200 422'].includes(outcome), outcome)
    })
  })
}
