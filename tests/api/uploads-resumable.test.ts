import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cleanUploads } from '../../src/resources/uploads/index.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const TUS = '/v1/uploads/tus'

for (const dialect of DIALECTS) {
  describe(`resumable uploads on ${dialect}`, () => {
    let app: TestApp
    let base: string
    let bucket: string
    before(async () => {
      app = await testApp(dialect)
      base = await app.app.listen({ port: 0, host: '127.0.0.1' })
      const body = {
        bucket_name: 'films',
        bucket_schema: {
          properties: { note: { type: 'text' }, clip: { type: 'video' }, title: { type: 'string' } },
        },
      }
      bucket = (await app.request('POST', '/v1/buckets', { body })).body.bucket_id
    })
    after(() => app.close())

    const encode = (metadata: Record<string, string>) =>
      Object.entries(metadata)
        .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
        .join(',')
    const call = (method: string, url: string, headers: Record<string, string> = {}, body?: Buffer) =>
      fetch(url.startsWith('http') ? url : base + url, {
        method,
        headers: { authorization: `Bearer ${app.key}`, 'tus-resumable': '1.0.0', ...headers },
        body: body ? new Uint8Array(body) : null,
      })
    const note = (more: Record<string, string> = {}) => ({
      bucket,
      filename: 'note.txt',
      filetype: 'text/plain',
      ...more,
    })
    const create = (size: number, metadata: Record<string, string> = note()) =>
      call('POST', TUS, { 'upload-length': String(size), 'upload-metadata': encode(metadata) })
    async function created(size: number, metadata?: Record<string, string>): Promise<string> {
      const answer = await create(size, metadata)
      assert.equal(answer.status, 201, await answer.text())
      return answer.headers.get('location')!
    }
    const patch = (url: string, offset: number, bytes: Buffer) =>
      call(
        'PATCH',
        url,
        { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
        bytes,
      )
    const idOf = (url: string) => url.split('/').at(-1)!
    const get = async (url: string) =>
      (await app.request('GET', `/v1/buckets/${bucket}/uploads/${idOf(url)}`)).body
    const text = (size: number) => Buffer.from(randomBytes(size).toString('hex').slice(0, size))
    async function code(answer: Response | Promise<Response>) {
      const given = await answer
      assert.equal(given.headers.get('content-type'), 'application/json; charset=utf-8')
      const body = (await given.json()) as { error: { code: string } }
      return [given.status, body.error.code]
    }

    test('the server says what it can', async () => {
      const answer = await fetch(base + TUS, { method: 'OPTIONS' })
      assert.equal(answer.status, 204)
      assert.equal(answer.headers.get('tus-version'), '1.0.0')
      assert.equal(
        answer.headers.get('tus-extension'),
        'creation,creation-with-upload,expiration,termination',
      )
      assert.equal(answer.headers.get('tus-max-size'), String(50 * 1024 ** 3))
      assert.equal(answer.headers.get('access-control-allow-origin'), '*')
      assert.match(answer.headers.get('access-control-allow-headers')!, /X-Namespace/)
    })

    test('pieces become an object, whose id the last answer tells', async () => {
      const bytes = text(200_000)
      const metadata = note({ object_metadata: '{"title":"Told"}', metadata: '{"from":"test"}' })
      const url = await created(bytes.length, metadata)
      assert.ok(url.startsWith(`${base}${TUS}/upl_`), url)
      assert.equal((await patch(url, 0, bytes.subarray(0, 70_000))).headers.get('upload-offset'), '70000')
      const head = await call('HEAD', url)
      assert.equal(head.headers.get('upload-offset'), '70000')
      assert.equal(head.headers.get('upload-length'), '200000')
      assert.equal(head.headers.get('upload-status'), 'PENDING')
      assert.equal(head.headers.get('cache-control'), 'no-store')
      const last = await patch(url, 70_000, bytes.subarray(70_000))
      assert.equal(last.status, 204)
      assert.equal(last.headers.get('upload-status'), 'COMPLETED')
      const object_id = last.headers.get('upload-object-id')!
      const object = (await app.request('GET', `/v1/buckets/${bucket}/objects/${object_id}`)).body
      assert.equal(object.title, 'Told')
      assert.equal(object.blobs[0].details.hash, sha256(bytes))
      const upload = await get(url)
      assert.equal(upload.object_id, object_id)
      assert.equal(upload.file_hash, sha256(bytes))
      assert.deepEqual(upload.metadata, { from: 'test' })
      assert.equal((await call('HEAD', url)).headers.get('upload-object-id'), object_id)
      assert.deepEqual(await code(call('DELETE', url)), [400, 'upload_completed'])
    })

    test('an upload may bring its bytes along when it is created', async () => {
      const bytes = text(5000)
      const answer = await call(
        'POST',
        TUS,
        {
          'upload-length': String(bytes.length),
          'upload-metadata': encode(note({ create_object_on_confirm: 'false' })),
          'content-type': 'application/offset+octet-stream',
        },
        bytes,
      )
      assert.equal(answer.status, 201)
      assert.equal(answer.headers.get('upload-offset'), '5000')
      assert.equal(answer.headers.get('upload-status'), 'COMPLETED')
      assert.equal(answer.headers.get('upload-object-id'), null)
      const body = { blobs: [{ property: 'note', upload_id: answer.headers.get('upload-id')! }] }
      assert.equal((await app.request('POST', `/v1/buckets/${bucket}/objects`, { body })).status, 200)
    })

    test('what arrived before a connection broke is kept', async () => {
      const bytes = text(100_000)
      const url = await created(bytes.length)
      const { port, pathname } = new URL(url)
      const socket = connect(Number(port), '127.0.0.1')
      socket.write(
        `PATCH ${pathname} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${app.key}\r\ntus-resumable: 1.0.0\r\n` +
          'upload-offset: 0\r\ncontent-type: application/offset+octet-stream\r\ncontent-length: 100000\r\n\r\n',
      )
      socket.write(bytes.subarray(0, 60_000))
      await sleep(300)
      socket.destroy()
      const offset = Number((await call('HEAD', url)).headers.get('upload-offset'))
      assert.equal(offset, 60_000)
      assert.equal(
        (await patch(url, offset, bytes.subarray(offset))).headers.get('upload-status'),
        'COMPLETED',
      )
      assert.equal((await get(url)).file_hash, sha256(bytes))
    })

    test('who comes back takes over from a connection that hangs, and two writers never mix', async () => {
      const bytes = text(50_000)
      const url = await created(bytes.length)
      const { port, pathname } = new URL(url)
      const hanging = connect(Number(port), '127.0.0.1')
      hanging.on('error', () => undefined)
      hanging.write(
        `PATCH ${pathname} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${app.key}\r\ntus-resumable: 1.0.0\r\n` +
          'upload-offset: 0\r\ncontent-type: application/offset+octet-stream\r\ncontent-length: 50000\r\n\r\n',
      )
      hanging.write(bytes.subarray(0, 1000))
      await sleep(200)
      const head = await call('HEAD', url)
      assert.equal(head.headers.get('upload-offset'), '1000')
      hanging.destroy()
      const answers = await Promise.all([0, 1, 2].map(() => patch(url, 1000, bytes.subarray(1000))))
      const statuses = answers.map(({ status }) => status).sort()
      assert.equal(statuses.filter((status) => status === 204).length, 1, statuses.join())
      assert.ok(
        statuses.every((status) => [204, 409, 400, 423].includes(status)),
        statuses.join(),
      )
      assert.equal((await get(url)).file_hash, sha256(bytes))
    })

    test('wrong offsets, too many bytes and missing headers are refused', async () => {
      const bytes = text(1000)
      const url = await created(bytes.length)
      assert.deepEqual(await code(patch(url, 10, bytes)), [409, 'tus_refused'])
      assert.equal((await patch(url, 0, Buffer.concat([bytes, bytes]))).status, 413)
      assert.equal((await call('HEAD', url)).headers.get('upload-offset'), '0')
      assert.equal(
        (await fetch(url, { method: 'PATCH', headers: { authorization: `Bearer ${app.key}` } })).status,
        412,
      )
      assert.equal(
        (await call('PATCH', url, { 'upload-offset': '0', 'content-type': 'text/plain' }, bytes)).status,
        400,
      )
      assert.equal(
        (await call('PATCH', url, { 'content-type': 'application/offset+octet-stream' }, bytes)).status,
        403,
      )
      assert.deepEqual(await code(call('POST', TUS, { 'upload-defer-length': '1' })), [501, 'tus_refused'])
      assert.deepEqual(await code(call('POST', TUS, {})), [400, 'tus_refused'])
      assert.deepEqual(await code(call('POST', TUS, { 'upload-length': '-1' })), [400, 'tus_refused'])
      assert.equal((await call('DELETE', url)).status, 204)
      assert.equal((await call('HEAD', url)).status, 404)
      assert.equal((await patch(url, 0, bytes)).status, 404)
    })

    test('creation checks all that the create operation checks', async () => {
      assert.deepEqual(await code(create(10, { filename: 'x.txt' })), [422, 'validation_error'])
      assert.deepEqual(await code(create(10, note({ bucket: 'nowhere' }))), [404, 'bucket_not_found'])
      assert.deepEqual(await code(create(10, note({ filename: '../x.txt' }))), [422, 'validation_error'])
      assert.deepEqual(await code(create(10, note({ object_metadata: 'no json' }))), [
        422,
        'validation_error',
      ])
      assert.deepEqual(await code(create(10, note({ metadata: '{"a":"\\u0000"}' }))), [400, 'bad_request'])
      assert.deepEqual(await code(create(10, note({ filename: 'x.zip', filetype: 'application/zip' }))), [
        400,
        'blob_property_unknown',
      ])
      assert.deepEqual(await code(create(0)), [400, 'upload_bytes_missing'])
      assert.equal((await create(51 * 1024 ** 3)).status, 413)
      assert.deepEqual(
        await code(fetch(base + TUS, { method: 'POST', headers: { authorization: 'Bearer sk_wrong' } })),
        [401, 'unauthorized'],
      )
    })

    test('bytes that are not what was declared are refused at the end, and the upload stays', async () => {
      const bytes = text(3000)
      const url = await created(bytes.length, note({ file_hash: 'b'.repeat(64) }))
      assert.deepEqual(await code(patch(url, 0, bytes)), [400, 'hash_mismatch'])
      assert.equal((await get(url)).status, 'PENDING')
      assert.equal((await call('DELETE', url)).status, 204)
    })

    test('an upload whose last request died before its confirmation is confirmed by the next', async () => {
      const bytes = text(4000)
      const url = await created(bytes.length)
      const row = await app.deps.db
        .selectFrom('uploads')
        .select('storage_key')
        .where('upload_id', '=', idOf(url))
        .executeTakeFirstOrThrow()
      const source = async function* () {
        yield bytes
      }
      await app.deps.blobs.resumable.append(row.storage_key!, 0, source(), { limit_bytes: 4000 })
      const head = await call('HEAD', url)
      assert.equal(head.headers.get('upload-offset'), '4000')
      assert.match(head.headers.get('upload-object-id')!, /^obj_/)
    })

    test('a path may name the bucket, and then knows only its uploads', async () => {
      const bytes = text(20)
      const createIn = (one: string) =>
        call('POST', `/v1/buckets/${one}/uploads/tus`, {
          'upload-length': '20',
          'upload-metadata': encode({ filename: 'note.txt', filetype: 'text/plain' }),
        })
      const url = (await createIn(bucket)).headers.get('location')!
      assert.ok(url.startsWith(`${base}/v1/buckets/${bucket}/uploads/tus/upl_`), url)
      const body = { bucket_name: 'other', bucket_schema: { properties: { note: { type: 'text' } } } }
      assert.equal((await app.request('POST', '/v1/buckets', { body })).status, 200)
      assert.equal((await call('HEAD', url.replace(bucket, 'other'))).status, 404)
      assert.deepEqual(await code(patch(url.replace(bucket, 'other'), 0, bytes)), [404, 'upload_not_found'])
      const last = await patch(url, 0, bytes)
      assert.match(last.headers.get('upload-object-id')!, /^obj_/)
      assert.equal((await createIn('nowhere')).status, 404)
    })

    test('a locked bucket takes no bytes, and nothing is removed from it', async () => {
      const body = { bucket_name: 'locked', bucket_schema: { properties: { note: { type: 'text' } } } }
      const locked = (await app.request('POST', '/v1/buckets', { body })).body.bucket_id
      const bytes = text(20)
      const url = await created(bytes.length, note({ bucket: locked }))
      const lock = (is_locked: boolean) =>
        app.request('PATCH', `/v1/buckets/${locked}`, { body: { is_locked } })
      assert.equal((await lock(true)).status, 200)
      assert.deepEqual(await code(patch(url, 0, bytes.subarray(0, 5))), [403, 'bucket_locked'])
      assert.deepEqual(await code(call('DELETE', url)), [403, 'bucket_locked'])
      assert.equal((await call('HEAD', url)).headers.get('upload-offset'), '0')
      await lock(false)
      assert.equal((await patch(url, 0, bytes)).headers.get('upload-status'), 'COMPLETED')
    })

    test('the upload of another namespace is not there', async () => {
      const url = await created(10)
      const body = {
        namespace_name: 'elsewhere',
        feature_extractors: [{ feature_extractor_name: 'text_extractor', version: 'v1' }],
      }
      assert.equal((await app.request('POST', '/v1/namespaces', { body })).status, 200)
      const elsewhere = { 'x-namespace': 'elsewhere' }
      assert.equal((await call('HEAD', url, elsewhere)).status, 404)
      assert.deepEqual(await code(call('DELETE', url, elsewhere)), [404, 'upload_not_found'])
      const headers = {
        ...elsewhere,
        'upload-offset': '0',
        'content-type': 'application/offset+octet-stream',
      }
      assert.deepEqual(await code(call('PATCH', url, headers, text(10))), [404, 'upload_not_found'])
      assert.deepEqual(
        await code(
          call('POST', TUS, { ...elsewhere, 'upload-length': '10', 'upload-metadata': encode(note()) }),
        ),
        [404, 'bucket_not_found'],
      )
      assert.equal((await call('HEAD', url)).headers.get('upload-offset'), '0')
    })

    test('a large upload is confirmed in the background', async () => {
      const bytes = Buffer.alloc(101_000_000, 'a line of text\n')
      const url = await created(bytes.length)
      const last = await patch(url, 0, bytes)
      assert.equal(last.headers.get('upload-status'), 'PROCESSING')
      const task_id = last.headers.get('upload-task-id')!
      await drainQueue(app.deps)
      assert.equal((await app.request('GET', `/v1/tasks/${task_id}`)).body.status, 'COMPLETED')
      assert.equal((await get(url)).file_hash, sha256(bytes))
    })

    test('uploads past their time end, old records go, and no bytes stay behind', async () => {
      const bytes = text(90_000)
      const [part, whole] = [await created(bytes.length), await created(bytes.length)]
      await patch(part, 0, bytes.subarray(0, 500))
      await patch(whole, 0, bytes)
      const later = Date.now() + 4 * 86_400_000
      const cleaned = await cleanUploads(app.deps, later)
      assert.ok(cleaned.uploads_expired >= 1)
      assert.equal((await get(part)).status, 'FAILED')
      assert.equal((await call('HEAD', part)).status, 400)
      assert.deepEqual(await code(patch(part, 500, bytes.subarray(500))), [400, 'upload_not_confirmable'])
      const { object_id } = await get(whole)
      const { uploads_removed } = await cleanUploads(app.deps, Date.now() + 31 * 86_400_000)
      assert.ok(uploads_removed >= 2)
      assert.equal((await app.request('GET', `/v1/buckets/${bucket}/uploads/${idOf(whole)}`)).status, 404)
      const shown = await app.request(
        'GET',
        `/v1/buckets/${bucket}/objects/${object_id}?return_presigned_urls=true`,
      )
      const file = await fetch(
        shown.body.blobs[0].properties.presigned_url.replace(/^https?:\/\/[^/]+/, base),
      )
      assert.equal(sha256(Buffer.from(await file.arrayBuffer())), sha256(bytes))
      for await (const { key } of app.deps.blobs.list('uploads/')) assert.ok(!key.includes('.'), key)
    })
  })
}
