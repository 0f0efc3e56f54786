import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Db, inTransaction } from '../../src/platform/db/db.ts'
import { cleanUploads, purgeUploads } from '../../src/resources/uploads/index.ts'
import { ResumableUploads } from '../../src/resources/uploads/tus/resumable.ts'
import { makePng } from '../support/media.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const MEMBERS = { filename: 'hero.png', content_type: 'image/png' }

/** Pictures that differ in their bytes. */
let width = 1
const png = async () => Buffer.from(await makePng(width++, 3))

/** What happens to an upload between two steps of something else. */
for (const dialect of DIALECTS) {
  describe(`uploads that change meanwhile, on ${dialect}`, () => {
    let app: TestApp
    let bucket: string
    before(async () => {
      app = await testApp(dialect, { KURA_OPEN_UPLOADS_PER_BUCKET: '20' })
      bucket = await makeBucket()
    })
    after(() => app.close())

    async function makeBucket(): Promise<string> {
      const properties = { hero: { type: 'image' } }
      const body = { bucket_name: `b${Math.random()}`, bucket_schema: { properties } }
      return (await app.request('POST', '/v1/buckets', { body })).body.bucket_id
    }
    const create = async (in_bucket = bucket) =>
      (await app.request('POST', `/v1/buckets/${in_bucket}/uploads`, { body: MEMBERS })).body
    const put = (url: string, bytes: Buffer) =>
      app.request('PUT', url.replace(/^https?:\/\/[^/]+/, ''), {
        key: null,
        raw: bytes,
        headers: { 'content-type': 'image/png' },
      })
    const confirm = (id: string) => app.request('POST', `/v1/buckets/${bucket}/uploads/${id}/confirm`)
    const get = async (id: string) => (await app.request('GET', `/v1/buckets/${bucket}/uploads/${id}`)).body

    async function scopeOf(upload_id: string) {
      const { organization_id, namespace_id } = await app.deps.db
        .selectFrom('uploads')
        .select(['organization_id', 'namespace_id'])
        .where('upload_id', '=', upload_id)
        .executeTakeFirstOrThrow()
      return { organizationId: organization_id, namespaceId: namespace_id }
    }

    test('bytes that were acknowledged while the upload expires are kept and can be confirmed', async () => {
      const { upload_id, presigned_url } = await create()
      const bytes = await png()
      let transactions = 0
      const db = new Proxy(app.deps.db, {
        get(target, name) {
          if (name === 'transaction' && transactions++ === 0)
            return () => ({
              async execute(work: never) {
                assert.equal((await put(presigned_url, bytes)).status, 200)
                return target.transaction().execute(work)
              },
            })
          const value = Reflect.get(target, name)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }) as Db
      await cleanUploads({ ...app.deps, db }, Date.now() + 3601_000)
      assert.ok(transactions > 0)
      assert.equal((await get(upload_id)).status, 'PENDING')
      assert.equal((await confirm(upload_id)).body.status, 'COMPLETED')
    })

    test('a confirmation that loses its bytes to later ones confirms those', async (t) => {
      const { upload_id, presigned_url } = await create()
      await put(presigned_url, await png())
      const later = await png()
      const { objects } = app.deps.uploads.context
      const createWith = objects.createWith.bind(objects)
      let calls = 0
      t.mock.method(objects, 'createWith', async (...given: Parameters<typeof createWith>) => {
        if (calls++ === 0) assert.equal((await put(presigned_url, later)).status, 200)
        return createWith(...given)
      })
      const { status, body } = await confirm(upload_id)
      assert.equal(status, 200, JSON.stringify(body))
      assert.equal(body.file_hash, createHash('sha256').update(later).digest('hex'))
    })

    test('a confirmation that another one overtakes gives the same answer', async (t) => {
      const bytes = await png()
      const first = await create()
      await put(first.presigned_url, bytes)
      await confirm(first.upload_id)
      const { upload_id, presigned_url } = await create()
      await put(presigned_url, bytes)
      const { objects } = app.deps.uploads.context
      const createWith = objects.createWith.bind(objects)
      let calls = 0
      t.mock.method(objects, 'createWith', async (...given: Parameters<typeof createWith>) => {
        // The other one finds the bytes to be known and drops these.
        if (calls++ === 0) assert.equal((await confirm(upload_id)).body.is_duplicate, true)
        return createWith(...given)
      })
      const { status, body } = await confirm(upload_id)
      assert.equal(status, 200, JSON.stringify(body))
      assert.equal(body.duplicate_of_upload_id, first.upload_id)
    })

    test('a copy of bytes whose upload is removed while they are read is dropped', async (t) => {
      const body = {
        bucket_name: 'archive',
        bucket_schema: { properties: { note: { type: 'text' } } },
        storage_class: 'archive',
      }
      await app.request('POST', '/v1/buckets', { body })
      const { uploads, blobs, db } = app.deps
      const scope = await scopeOf((await create()).upload_id)
      const resumable = new ResumableUploads(uploads, scope, 'archive')
      const bytes = Buffer.alloc(200_000, 'kept for long\n')
      const upload_id = await resumable.create({ filename: 'n.txt', filetype: 'text/plain' }, bytes.length)
      await resumable.append(upload_id, 0, Readable.from([bytes]))
      const read = blobs.read.bind(blobs)
      t.mock.method(blobs, 'read', async (...given: Parameters<typeof read>) => {
        await db.deleteFrom('uploads').where('upload_id', '=', upload_id).execute()
        return read(...given)
      })
      await assert.rejects(resumable.finish(upload_id), { code: 'upload_not_found' })
      for await (const { key } of blobs.list('files/')) assert.fail(key)
    })

    test('requests that race do not pass the limit of open uploads', async () => {
      const limited = await makeBucket()
      const body = { uploads: Array.from({ length: 5 }, () => MEMBERS) }
      const answers = await Promise.all(
        Array.from({ length: 12 }, () =>
          app.request('POST', `/v1/buckets/${limited}/uploads/batch`, { body }),
        ),
      )
      assert.equal(answers.filter(({ status }) => status === 200).length, 4)
    })

    test('bytes that arrive while their bucket is deleted leave no file behind', async () => {
      const dying = await makeBucket()
      const { upload_id, presigned_url } = await create(dying)
      const scope = await scopeOf(upload_id)
      const { files, db } = app.deps
      const bytes = await png()
      let sent: ReturnType<typeof put> | undefined
      const release: typeof files.release = async (...given) => {
        const orphans = await files.release(...given)
        sent = put(presigned_url, bytes)
        await Promise.race([sent, sleep(300)])
        return orphans
      }
      await inTransaction(db, (trx) => purgeUploads(trx, { release }, scope, dying))
      assert.equal((await sent!).status, 404)
      const left = db.selectFrom('file_references').select('file_id').where('owner_id', '=', upload_id)
      assert.deepEqual(await left.execute(), [])
    })
  })
}
