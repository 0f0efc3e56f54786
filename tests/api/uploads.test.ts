import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { drainQueue } from '../support/drain-queue.ts'
import { makePng } from '../support/media.ts'
import { DIALECTS, type TestApp, type TestResponse, testApp } from '../support/test-app.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')

/** Pictures that differ in their bytes; widths are never used twice. */
let width = 1
const png = async () => Buffer.from(await makePng(width++, 3))

for (const dialect of DIALECTS) {
  describe(`presigned uploads on ${dialect}`, () => {
    let app: TestApp
    let bucket: string
    before(async () => {
      app = await testApp(dialect)
      bucket = await makeBucket({
        hero: { type: 'image' },
        clip: { type: 'video' },
        title: { type: 'string' },
      })
    })
    after(() => app.close())

    async function makeBucket(properties: object, more: object = {}): Promise<string> {
      const body = { bucket_name: `b${Math.random()}`, bucket_schema: { properties }, ...more }
      return (await app.request('POST', '/v1/buckets', { body })).body.bucket_id
    }
    const create = (body: object, in_bucket = bucket, query = '') =>
      app.request('POST', `/v1/buckets/${in_bucket}/uploads${query}`, { body })
    const confirm = (id: string, body?: object, in_bucket = bucket, query = '') =>
      app.request('POST', `/v1/buckets/${in_bucket}/uploads/${id}/confirm${query}`, body ? { body } : {})
    const get = (id: string, in_bucket = bucket, query = '') =>
      app.request('GET', `/v1/buckets/${in_bucket}/uploads/${id}${query}`)
    const put = (url: string, bytes: Buffer, headers: Record<string, string> = {}) =>
      app.request('PUT', url.replace(/^https?:\/\/[^/]+/, ''), {
        key: null,
        raw: bytes,
        headers: { 'content-type': 'image/png', ...headers },
      })
    async function ok(answer: Promise<TestResponse>): Promise<TestResponse['body']> {
      const { status, body } = await answer
      assert.equal(status, 200, JSON.stringify(body))
      return body
    }
    async function refused(answer: Promise<TestResponse>, status: number, code: string) {
      const given = await answer
      assert.deepEqual([given.status, given.body.error?.code], [status, code], JSON.stringify(given.body))
    }
    async function storedKeys(): Promise<string[]> {
      const keys: string[] = []
      for await (const { key } of app.deps.blobs.list('')) keys.push(key)
      return keys
    }
    const image = (more: object = {}) => ({ filename: 'hero.png', content_type: 'image/png', ...more })

    /** Create and PUT. */
    async function uploaded(bytes: Buffer, more: object = {}, in_bucket = bucket) {
      const upload = await ok(create(image(more), in_bucket))
      const sent = await put(upload.presigned_url, bytes)
      assert.equal(sent.status, 200, JSON.stringify(sent.body))
      assert.equal(sent.headers.etag, `"${md5(bytes)}"`)
      return upload
    }

    test('an upload becomes an object with its metadata when it is confirmed', async () => {
      const bytes = await png()
      const upload = await uploaded(bytes, { object_metadata: { title: 'Red' }, metadata: { batch: 7 } })
      assert.equal(upload.status, 'PENDING')
      assert.equal(upload.blob_property, 'hero')
      assert.match(
        upload.s3_key,
        new RegExp(`^int_.*/ns_.*/api_buckets_uploads_create/${upload.upload_id}/hero.png$`),
      )
      assert.equal('presigned_url' in (await get(upload.upload_id)).body, false)
      const done = await ok(confirm(upload.upload_id, { etag: `"${md5(bytes)}"`, file_size: bytes.length }))
      assert.equal(done.status, 'COMPLETED')
      assert.equal(done.file_hash, sha256(bytes))
      assert.deepEqual(await ok(confirm(upload.upload_id)), done)
      const object = await ok(app.request('GET', `/v1/buckets/${bucket}/objects/${done.object_id}`))
      assert.equal(object.title, 'Red')
      assert.equal(object.blobs[0].details.hash, sha256(bytes))
      assert.equal(object.blobs[0].details.filename, 'hero.png')
      const shown = await ok(get(upload.upload_id, bucket, '?return_presigned_urls=true'))
      const file = await app.app.inject({ url: shown.presigned_url.replace(/^https?:\/\/[^/]+/, '') })
      assert.deepEqual(file.rawPayload, bytes)
      const found = await ok(app.request('GET', `/v1/buckets/${bucket}`))
      assert.ok(found.object_count >= 1)
    })

    test('bytes may be sent again until the upload is confirmed, and never after', async () => {
      const [first, second] = [await png(), await png()]
      const upload = await uploaded(first)
      assert.equal((await put(upload.presigned_url, second)).status, 200)
      const done = await ok(confirm(upload.upload_id))
      assert.equal(done.file_hash, sha256(second))
      await refused(put(upload.presigned_url, first), 400, 'upload_not_pending')
    })

    test('large bodies go to the blob store, and replaced ones are deleted', async () => {
      const big = Buffer.concat([await png(), Buffer.alloc(300_000, 7)])
      const upload = await uploaded(big, { create_object_on_confirm: false })
      const before = await storedKeys()
      assert.equal((await put(upload.presigned_url, Buffer.concat([big, big]))).status, 200)
      const after = await storedKeys()
      assert.equal(after.length, before.length)
      assert.notDeepEqual(after, before)
      assert.equal((await ok(confirm(upload.upload_id))).file_size_bytes, 2 * big.length)
      assert.equal('object_id' in (await ok(get(upload.upload_id))), false)
    })

    test('a signature is bound to upload, type and time', async () => {
      const upload = await ok(create(image()))
      const other = await ok(create(image()))
      const url = new URL(upload.presigned_url)
      const bytes = await png()
      const tampered = (change: (url: URL) => void) => {
        const copy = new URL(url)
        change(copy)
        return put(copy.href, bytes)
      }
      const code = 'signature_invalid'
      await refused(
        tampered((one) => one.searchParams.set('signature', 'AAAA')),
        403,
        code,
      )
      await refused(
        tampered((one) => one.searchParams.delete('signature')),
        403,
        code,
      )
      await refused(
        tampered((one) => one.searchParams.set('expires', '9999999999')),
        403,
        code,
      )
      await refused(
        tampered((one) => one.searchParams.set('content_type', 'image/gif')),
        403,
        code,
      )
      await refused(
        tampered((one) => {
          one.pathname = one.pathname.replace(upload.upload_id, other.upload_id)
        }),
        403,
        code,
      )
      await refused(
        tampered((one) => {
          one.pathname = one.pathname.replace(/ns_[a-z0-9]+/, 'ns_0000000000')
        }),
        403,
        code,
      )
      await refused(
        put(upload.presigned_url, bytes, { 'content-type': 'image/gif' }),
        403,
        'upload_content_type_mismatch',
      )
      const expired = app.deps.files.signedUploadUrl(
        {
          scope: {
            organizationId: app.deps.bootstrap.organizationId,
            namespaceId: url.pathname.split('/')[3]!,
          },
          upload_id: upload.upload_id,
          content_type: 'image/png',
          expires: 1000,
        },
        '',
      )
      await refused(put(expired, bytes), 403, code)
    })

    test('pages of any origin may send bytes', async () => {
      const upload = await ok(create(image()))
      const { pathname, search } = new URL(upload.presigned_url)
      const answer = await app.app.inject({
        method: 'OPTIONS',
        url: pathname + search,
        headers: { origin: 'https://example.org', 'access-control-request-method': 'PUT' },
      })
      assert.equal(answer.statusCode, 204)
      assert.equal(answer.headers['access-control-allow-origin'], '*')
      assert.match(String(answer.headers['access-control-allow-methods']), /PUT/)
    })

    test('a declared size is enforced whatever the header says', async () => {
      const bytes = await png()
      const upload = await ok(create(image({ file_size_bytes: bytes.length })))
      await refused(put(upload.presigned_url, Buffer.concat([bytes, bytes])), 400, 'size_mismatch')
      await refused(put(upload.presigned_url, bytes.subarray(1)), 400, 'size_mismatch')
      await refused(confirm(upload.upload_id), 400, 'upload_bytes_missing')
      assert.equal((await put(upload.presigned_url, bytes)).status, 200)
      await refused(confirm(upload.upload_id, { file_size_bytes: 5 }), 400, 'size_mismatch')
      await refused(confirm(upload.upload_id, { etag: '"00"' }), 400, 'etag_mismatch')
      await refused(confirm(upload.upload_id, { file_hash: 'a'.repeat(64) }), 400, 'hash_mismatch')
      assert.equal((await get(upload.upload_id)).body.status, 'PENDING')
      await ok(confirm(upload.upload_id))
    })

    test('a declared hash that the bytes do not have is refused until they do', async () => {
      const [right, wrong] = [await png(), await png()]
      const upload = await uploaded(wrong, { file_hash: sha256(right) })
      await refused(confirm(upload.upload_id), 400, 'hash_mismatch')
      await put(upload.presigned_url, right)
      await ok(confirm(upload.upload_id))
    })

    test('content that is not what its property takes is refused by its bytes', async () => {
      const upload = await ok(create(image()))
      await put(upload.presigned_url, Buffer.from('%PDF-1.7 not a picture'))
      await refused(confirm(upload.upload_id), 422, 'blob_type_mismatch')
      assert.equal((await get(upload.upload_id)).body.status, 'PENDING')
    })

    test('what is wrong with a request is told before anything is created', async () => {
      const count = async () =>
        (await ok(app.request('POST', `/v1/buckets/${bucket}/uploads/list`))).pagination.total
      const before = await count()
      for (const filename of ['a/b.png', 'a\\b.png', '..', 'x..png', '', 'a'.repeat(256), 'a\u0007.png'])
        assert.equal((await create(image({ filename }))).status, 422, filename)
      for (const content_type of ['png', 'image/', 'image/png\nx', ''])
        assert.equal((await create(image({ content_type }))).status, 422, content_type)
      for (const more of [
        { file_size_bytes: 0 },
        { presigned_url_expiration: 59 },
        { presigned_url_expiration: 86_401 },
        { blob_property: 'a-b' },
        { file_hash: 'xyz' },
        { object_metadata: { title: 5 } },
        { object_metadata: { _x: 1 } },
      ])
        assert.equal((await create(image(more))).status, 422, JSON.stringify(more))
      await refused(create(image({ blob_property: 'clip' })), 422, 'blob_type_mismatch')
      await refused(create(image({ blob_property: 'title' })), 400, 'blob_property_unknown')
      await refused(create(image({ blob_property: 'nothing' })), 400, 'blob_property_unknown')
      await refused(
        create({ filename: 'x.pdf', content_type: 'application/pdf' }),
        400,
        'blob_property_unknown',
      )
      await refused(create(image({ file_size_bytes: 51 * 1024 ** 3 })), 413, 'upload_too_large')
      await refused(create(image(), 'bkt_unknown'), 404, 'bucket_not_found')
      const batch = await app.request('POST', `/v1/buckets/${bucket}/uploads/batch`, {
        body: { uploads: [image(), image({ filename: '..' })] },
      })
      assert.equal(batch.status, 422)
      assert.deepEqual(batch.body.detail[0].loc, ['body', 'uploads', 1, 'filename'])
      assert.equal(await count(), before)
    })

    test('the property is the stem of the name, else the only one that fits', async () => {
      const other = await ok(create({ filename: 'other.mp4', content_type: 'video/mp4' }))
      assert.equal(other.blob_property, 'clip')
      assert.equal(other.blob_type, 'video')
      const two = await makeBucket({ a: { type: 'image' }, b: { type: 'image' } })
      await refused(create(image({ filename: 'c.png' }), two), 400, 'blob_property_unknown')
      assert.equal((await ok(create(image({ filename: 'b.png' }), two))).blob_property, 'b')
    })

    test('an object that would lack a required blob is refused when the upload is created', async () => {
      const strict = await makeBucket({ hero: { type: 'image' }, doc: { type: 'pdf', required: true } })
      await refused(create(image(), strict), 400, 'object_incomplete')
      assert.equal((await create(image({ create_object_on_confirm: false }), strict)).status, 200)
    })

    test('bytes known by their hash are not uploaded again', async () => {
      const bytes = await png()
      const upload = await uploaded(bytes)
      const { object_id } = await ok(confirm(upload.upload_id))
      const again = await ok(create(image({ file_hash: sha256(bytes) })))
      assert.equal(again.is_duplicate, true)
      assert.equal(again.duplicate_of_upload_id, upload.upload_id)
      assert.equal(again.object_id, object_id)
      assert.equal('presigned_url' in again, false)
      const wanted = await ok(create(image({ file_hash: sha256(bytes), skip_duplicates: false })))
      assert.equal(wanted.is_duplicate, false)
      assert.ok(wanted.presigned_url)
    })

    test('bytes without a declared hash are recognized when they are confirmed', async () => {
      const bytes = await png()
      const first = await uploaded(bytes)
      const second = await uploaded(bytes)
      const third = await uploaded(bytes, { skip_duplicates: false })
      const { object_id } = await ok(confirm(first.upload_id))
      const again = await ok(confirm(second.upload_id))
      assert.equal(again.object_id, object_id)
      assert.equal(again.is_duplicate, true)
      assert.equal(again.duplicate_of_upload_id, first.upload_id)
      assert.notEqual((await ok(confirm(third.upload_id))).object_id, object_id)
      const fourth = await uploaded(bytes)
      await app.request('DELETE', `/v1/buckets/${bucket}/objects/${object_id}`)
      assert.notEqual((await ok(confirm(fourth.upload_id))).object_id, object_id)
    })

    test('confirmations that race make one object', async () => {
      const upload = await uploaded(await png())
      const answers = await Promise.all(Array.from({ length: 8 }, () => confirm(upload.upload_id)))
      const ids = new Set(answers.map(({ body }) => body.object_id))
      assert.equal(ids.size, 1, JSON.stringify(answers.map(({ body }) => body)))
      const bytes = await png()
      const twins = await Promise.all(Array.from({ length: 6 }, () => uploaded(bytes)))
      const twin_answers = await Promise.all(twins.map(({ upload_id }) => confirm(upload_id)))
      assert.equal(new Set(twin_answers.map(({ body }) => body.object_id)).size, 1)
    })

    test('a unique key that is taken skips the upload; without a policy it is refused', async () => {
      const keyed = await makeBucket(
        { hero: { type: 'image' }, sku: { type: 'string' } },
        { unique_key: { fields: ['sku'] } },
      )
      const object = (sku: string) => image({ object_metadata: { sku } })
      await refused(create(object('a'), keyed), 400, 'policy_required')
      await refused(create(image(), keyed, '?policy=insert'), 422, 'unique_key_missing')
      const upload = await ok(create(object('a'), keyed, '?policy=insert'))
      await put(upload.presigned_url, await png())
      const { object_id } = await ok(confirm(upload.upload_id, undefined, keyed))
      const skipped = await ok(create(object('a'), keyed, '?policy=insert'))
      assert.equal(skipped.skipped_unique_key, true)
      assert.equal(skipped.existing_object_id, object_id)
      assert.equal('presigned_url' in skipped, false)
      await refused(confirm(skipped.upload_id, undefined, keyed), 400, 'upload_not_confirmable')
      const upsert = await ok(create(object('a'), keyed, '?policy=upsert'))
      const bytes = await png()
      await put(upsert.presigned_url, bytes)
      assert.equal((await ok(confirm(upsert.upload_id, undefined, keyed))).object_id, object_id)
      const now = await ok(app.request('GET', `/v1/buckets/${keyed}/objects/${object_id}`))
      assert.equal(now.blobs[0].details.hash, sha256(bytes))
    })

    test('a batch shares metadata under that of each upload', async () => {
      const { uploads, total } = await ok(
        app.request('POST', `/v1/buckets/${bucket}/uploads/batch`, {
          body: {
            uploads: [image(), image({ metadata: { a: 2 }, object_metadata: { title: 'own' } })],
            shared_metadata: { a: 1, b: 1 },
            shared_object_metadata: { title: 'shared' },
          },
        }),
      )
      assert.equal(total, 2)
      assert.deepEqual(
        uploads.map((one: TestResponse['body']) => one.metadata),
        [
          { a: 1, b: 1 },
          { a: 2, b: 1 },
        ],
      )
      assert.deepEqual(
        uploads.map((one: TestResponse['body']) => one.object_metadata.title),
        ['shared', 'own'],
      )
    })

    test('a batch of confirmations is a task that judges each alone', async () => {
      const good = await uploaded(await png())
      const empty = await ok(create(image()))
      const body = {
        confirmations: [{ upload_id: good.upload_id }, { upload_id: empty.upload_id, etag: null }],
      }
      const url = `/v1/buckets/${bucket}/uploads/confirm/batch`
      await refused(
        app.request('POST', url, { body: { confirmations: [{ upload_id: 'upl_unknown' }] } }),
        404,
        'upload_not_found',
      )
      const answer = await ok(app.request('POST', url, { body }))
      assert.equal(answer.confirmations_count, 2)
      assert.equal((await get(good.upload_id)).body.status, 'PROCESSING')
      await refused(put(good.presigned_url, await png()), 400, 'upload_not_pending')
      await drainQueue(app.deps)
      const task = await ok(app.request('GET', `/v1/tasks/${answer.task_id}`))
      assert.equal(task.task_type, 'api_buckets_uploads_batch_confirm')
      assert.equal(task.status, 'COMPLETED_WITH_ERRORS')
      assert.equal(task.outputs[0].status, 'COMPLETED')
      assert.match(task.outputs[0].object_id, /^obj_/)
      assert.match(task.outputs[1].error, /No bytes/)
      const again = (await get(empty.upload_id)).body
      assert.equal(again.status, 'PENDING')
      await put(empty.presigned_url, await png())
      await ok(confirm(empty.upload_id))
    })

    test('an asynchronous confirmation answers its task, and a second one the same', async () => {
      const upload = await uploaded(await png())
      const first = await ok(confirm(upload.upload_id, undefined, bucket, '?async=true'))
      assert.equal(first.status, 'PROCESSING')
      assert.equal((await ok(confirm(upload.upload_id))).task_id, first.task_id)
      await drainQueue(app.deps)
      assert.equal((await ok(app.request('GET', `/v1/tasks/${first.task_id}`))).status, 'COMPLETED')
      const done = await ok(confirm(upload.upload_id))
      assert.equal(done.status, 'COMPLETED')
      assert.equal(done.task_id, first.task_id)
    })

    test('a list has filters, search, order, pages and statistics over all matches', async () => {
      const own = await makeBucket({ hero: { type: 'image' } })
      for (const i of [1, 2, 3])
        await ok(create(image({ filename: `f${i}.png`, file_size_bytes: i * 10, metadata: { i } }), own))
      const list = (body: object, query = '') =>
        app.request('POST', `/v1/buckets/${own}/uploads/list${query}`, { body })
      const all = await ok(list({}))
      assert.deepEqual(
        all.results.map((one: TestResponse['body']) => one.filename),
        ['f3.png', 'f2.png', 'f1.png'],
      )
      assert.deepEqual(all.stats, {
        total_uploads: 3,
        total_size_bytes: 60,
        uploads_by_status: { PENDING: 3 },
        avg_file_size_bytes: 20,
        unique_buckets: 1,
      })
      const page = await ok(list({ limit: 2, sort: { field: 'file_size_bytes' } }))
      assert.equal(page.pagination.total, 3)
      assert.equal(page.results[0].filename, 'f1.png')
      const rest = await ok(
        list({ limit: 2, sort: { field: 'file_size_bytes' }, cursor: page.pagination.next_cursor }),
      )
      assert.deepEqual(
        rest.results.map((one: TestResponse['body']) => one.filename),
        ['f3.png'],
      )
      assert.equal((await ok(list({ filters: { 'metadata.i': { gte: 2 } } }))).stats.total_uploads, 2)
      assert.equal((await ok(list({ search: 'F2' }))).results.length, 1)
      assert.equal((await ok(list({ filters: { status: 'completed' } }))).stats.avg_file_size_bytes, 0)
      assert.equal((await list({ limit: 101 })).status, 422)
      assert.equal((await list({}, '?limit=101')).status, 200)
    })

    test('a body that is shorter than its header says leaves nothing behind', async () => {
      const base = new URL(await app.app.listen({ port: 0, host: '127.0.0.1' }))
      const upload = await ok(create(image()))
      const { pathname, search } = new URL(upload.presigned_url)
      const before = await storedKeys()
      const socket = connect(Number(base.port), '127.0.0.1')
      socket.write(
        `PUT ${pathname}${search} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: 500000\r\n\r\n`,
      )
      socket.write(Buffer.alloc(200_000))
      await sleep(200)
      socket.destroy()
      await sleep(300)
      assert.deepEqual(await storedKeys(), before)
      await refused(confirm(upload.upload_id), 400, 'upload_bytes_missing')
    })

    test('an upload can be deleted until it is confirmed', async () => {
      const remove = (id: string) => app.request('DELETE', `/v1/buckets/${bucket}/uploads/${id}`)
      const upload = await uploaded(await png())
      assert.equal((await remove(upload.upload_id)).status, 204)
      await refused(get(upload.upload_id), 404, 'upload_not_found')
      await refused(put(upload.presigned_url, await png()), 404, 'upload_not_found')
      const done = await uploaded(await png())
      await ok(confirm(done.upload_id))
      await refused(remove(done.upload_id), 400, 'upload_completed')
    })

    test('an upload belongs to its bucket', async () => {
      const other = await makeBucket({ hero: { type: 'image' } })
      const upload = await uploaded(await png())
      await refused(get(upload.upload_id, other), 404, 'upload_not_found')
      await refused(confirm(upload.upload_id, undefined, other), 404, 'upload_not_found')
    })

    test('a confirmed upload is a source of blobs, any number of times', async () => {
      const bytes = await png()
      const upload = await uploaded(bytes, { create_object_on_confirm: false })
      const object = () =>
        app.request('POST', `/v1/buckets/${bucket}/objects`, {
          body: { blobs: [{ property: 'hero', upload_id: upload.upload_id }] },
        })
      await refused(object(), 400, 'upload_not_confirmed')
      await ok(confirm(upload.upload_id))
      const [one, two] = [await ok(object()), await ok(object())]
      assert.notEqual(one.object_id, two.object_id)
      assert.equal(one.blobs[0].properties.url, two.blobs[0].properties.url)
      assert.equal(one.blobs[0].details.hash, sha256(bytes))
    })

    test('open uploads are limited', async () => {
      const small = await testApp(dialect, { KURA_OPEN_UPLOADS_PER_BUCKET: '2' })
      try {
        const { bucket_id } = (
          await small.request('POST', '/v1/buckets', {
            body: { bucket_name: 'b', bucket_schema: { properties: { hero: { type: 'image' } } } },
          })
        ).body
        const url = `/v1/buckets/${bucket_id}/uploads`
        for (let i = 0; i < 2; i++)
          assert.equal((await small.request('POST', url, { body: image() })).status, 200)
        const third = await small.request('POST', url, { body: image() })
        assert.equal(third.status, 403)
        assert.equal(third.body.error.type, 'QuotaExceededError')
        assert.equal(third.body.error.details.limit, 2)
      } finally {
        await small.close()
      }
    })
  })
}
