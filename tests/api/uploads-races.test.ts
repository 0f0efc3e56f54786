import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Db, inTransaction } from '../../src/platform/db/db.ts'
import { cleanUploads, purgeUploads } from '../../src/resources/uploads/index.ts'
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

    test('bytes that arrive while their bucket is deleted leave no file behind', async () => {
      const dying = await makeBucket()
      const { upload_id, presigned_url } = await create(dying)
      const { organization_id, namespace_id } = await app.deps.db
        .selectFrom('uploads')
        .select(['organization_id', 'namespace_id'])
        .where('upload_id', '=', upload_id)
        .executeTakeFirstOrThrow()
      const scope = { organizationId: organization_id, namespaceId: namespace_id }
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
