import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { cleanUploads } from '../../src/resources/uploads/index.ts'
import { makePng } from '../support/media.ts'
import { S3_SERVER_MISSING, type S3Server, startS3Server } from '../support/s3-server.ts'
import { type TestApp, testApp } from '../support/test-app.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')
const options = { skip: S3_SERVER_MISSING }
/** The smallest part of a multipart upload, and a little more. */
const LARGE = 5 * 1024 * 1024 + 1000

let s3: S3Server
let app: TestApp
let base: string
let bucket: string
before(async () => {
  if (S3_SERVER_MISSING) return
  s3 = await startS3Server()
  await s3.createBucket('kura')
  app = await testApp('sqlite', {
    KURA_STORAGE_URL: 's3://kura/files',
    KURA_S3_ENDPOINT: s3.endpoint,
    KURA_S3_ACCESS_KEY_ID: s3.access_key_id,
    KURA_S3_SECRET_ACCESS_KEY: s3.secret_access_key,
    KURA_S3_PRESIGN: 'true',
  })
  base = await app.app.listen({ port: 0, host: '127.0.0.1' })
  const body = {
    bucket_name: 'pictures',
    bucket_schema: { properties: { hero: { type: 'image' }, note: { type: 'text' } } },
  }
  bucket = (await app.request('POST', '/v1/buckets', { body })).body.bucket_id
})
after(async () => {
  if (S3_SERVER_MISSING) return
  await app.close()
  await s3.stop()
})

const create = async (more: object = {}) => {
  const body = { filename: 'hero.png', content_type: 'image/png', ...more }
  const answer = await app.request('POST', `/v1/buckets/${bucket}/uploads`, { body })
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body
}
const put = (url: string, bytes: Buffer, type = 'image/png') =>
  fetch(url, { method: 'PUT', headers: { 'content-type': type }, body: new Uint8Array(bytes) })
const confirm = (id: string, body?: object) =>
  app.request('POST', `/v1/buckets/${bucket}/uploads/${id}/confirm`, body ? { body } : {})
const keys = async (prefix: string) => {
  const found: string[] = []
  for await (const { key } of app.deps.blobs.list(prefix)) found.push(key)
  return found
}

test('bytes go straight to the object store and are verified when they are confirmed', options, async () => {
  const bytes = Buffer.concat([Buffer.from(await makePng(31, 3)), Buffer.alloc(200_000, 1)])
  const upload = await create({ file_size_bytes: bytes.length, file_hash: sha256(bytes) })
  assert.ok(upload.presigned_url.startsWith(s3.endpoint), upload.presigned_url)
  assert.equal((await confirm(upload.upload_id)).body.error.code, 'upload_bytes_missing')
  assert.equal((await put(upload.presigned_url, bytes, 'image/gif')).status, 403)
  assert.equal((await put(upload.presigned_url, bytes.subarray(1))).status, 200)
  assert.equal((await confirm(upload.upload_id)).body.error.code, 'size_mismatch')
  const wrong = Buffer.from(bytes)
  wrong[wrong.length - 1] = 9
  await put(upload.presigned_url, wrong)
  assert.equal((await confirm(upload.upload_id)).body.error.code, 'hash_mismatch')
  const sent = await put(upload.presigned_url, bytes)
  assert.equal(sent.headers.get('etag'), `"${md5(bytes)}"`)
  assert.equal((await confirm(upload.upload_id, { etag: 'f'.repeat(32) })).body.error.code, 'etag_mismatch')
  const done = await confirm(upload.upload_id, { etag: sent.headers.get('etag') })
  assert.equal(done.body.status, 'COMPLETED', JSON.stringify(done.body))
  assert.match(done.body.object_id, /^obj_/)

  // The URL still works, and what it writes reaches nobody and is swept.
  assert.equal((await put(upload.presigned_url, wrong)).status, 200)
  const file = await app.deps.db
    .selectFrom('files')
    .select(['storage_key', 'sha256'])
    .executeTakeFirstOrThrow()
  assert.equal(file.sha256, sha256(bytes))
  assert.deepEqual(await keys('files/'), [file.storage_key])
  await cleanUploads(app.deps, Date.now() + 2 * 3600_000)
  assert.deepEqual(await keys('uploads/'), [])
  assert.deepEqual(await keys('files/'), [file.storage_key])
})

test('bytes that are replaced after they were measured are measured again', options, async (t) => {
  const bytes = Buffer.from(await makePng(33, 3))
  const upload = await create({ file_size_bytes: bytes.length })
  assert.equal((await put(upload.presigned_url, bytes)).status, 200)
  const { blobs } = app.deps
  const read = blobs.read.bind(blobs)
  const replaced = t.mock.method(blobs, 'read', async (...given: Parameters<typeof read>) => {
    await put(upload.presigned_url, Buffer.concat([bytes, Buffer.alloc(9)]))
    return read(...given)
  })
  const refused = await confirm(upload.upload_id)
  assert.deepEqual([refused.status, refused.body.error?.code], [400, 'size_mismatch'])
  replaced.mock.restore()
  await put(upload.presigned_url, bytes)
  assert.equal((await confirm(upload.upload_id)).body.status, 'COMPLETED')
  await cleanUploads(app.deps, Date.now() + 2 * 3600_000)
  assert.deepEqual(await keys('uploads/'), [])
})

test('a resumable upload becomes a multipart upload and stays where it arrived', options, async () => {
  const bytes = Buffer.alloc(2 * LARGE, 'text in lines\n')
  const headers = { authorization: `Bearer ${app.key}`, 'tus-resumable': '1.0.0' }
  const metadata = { bucket, filename: 'note.txt', filetype: 'text/plain' }
  const created = await fetch(`${base}/v1/uploads/tus`, {
    method: 'POST',
    headers: {
      ...headers,
      'upload-length': String(bytes.length),
      'upload-metadata': Object.entries(metadata)
        .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
        .join(','),
    },
  })
  assert.equal(created.status, 201, await created.text())
  const url = created.headers.get('location')!
  let answer: Response | undefined
  for (let offset = 0; offset < bytes.length; offset += LARGE) {
    answer = await fetch(url, {
      method: 'PATCH',
      headers: {
        ...headers,
        'upload-offset': String(offset),
        'content-type': 'application/offset+octet-stream',
      },
      body: new Uint8Array(bytes.subarray(offset, offset + LARGE)),
    })
    assert.equal(answer.status, 204, await answer.text())
  }
  assert.match(answer!.headers.get('upload-object-id')!, /^obj_/)
  const id = url.split('/').at(-1)!
  const shown = await app.request('GET', `/v1/buckets/${bucket}/uploads/${id}?return_presigned_urls=true`)
  assert.equal(shown.body.file_hash, sha256(bytes))
  const read = await app.app.inject({ url: shown.body.presigned_url.replace(/^https?:\/\/[^/]+/, '') })
  assert.equal(sha256(read.rawPayload), sha256(bytes))
  assert.equal((await keys('uploads/')).length, 1)
  await cleanUploads(app.deps, Date.now() + 2 * 3600_000)
  assert.equal((await keys('uploads/')).length, 1)
})

test('what a deleted upload had received is removed from the store', options, async () => {
  const before = await keys('uploads/')
  const upload = await create()
  await put(upload.presigned_url, Buffer.from(await makePng(33, 3)))
  assert.equal((await keys('uploads/')).length, before.length + 1)
  const answer = await app.request('DELETE', `/v1/buckets/${bucket}/uploads/${upload.upload_id}`)
  assert.equal(answer.status, 204)
  assert.deepEqual(await keys('uploads/'), before)
})

test(
  'a resumable upload to a bucket of the archive class is hashed first and then archived',
  options,
  async () => {
    const body = {
      bucket_name: 'cold',
      bucket_schema: { properties: { note: { type: 'text' } } },
      storage_class: 'archive',
    }
    const cold = (await app.request('POST', '/v1/buckets', { body })).body.bucket_id
    const bytes = Buffer.alloc(200_000, 'kept for long\n')
    const before = await keys('files/')
    const headers = { authorization: `Bearer ${app.key}`, 'tus-resumable': '1.0.0' }
    const metadata = { bucket: cold, filename: 'note.txt', filetype: 'text/plain' }
    const named = Object.entries(metadata).map(
      ([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`,
    )
    const created = await fetch(`${base}/v1/uploads/tus`, {
      method: 'POST',
      headers: { ...headers, 'upload-length': String(bytes.length), 'upload-metadata': named.join(',') },
    })
    assert.equal(created.status, 201, await created.text())
    const sent = await fetch(created.headers.get('location')!, {
      method: 'PATCH',
      headers: { ...headers, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
      body: new Uint8Array(bytes),
    })
    assert.equal(sent.status, 204, await sent.text())
    const file = await app.deps.db
      .selectFrom('files')
      .select(['storage_key', 'storage_class'])
      .where('sha256', '=', sha256(bytes))
      .executeTakeFirstOrThrow()
    assert.equal(file.storage_class, 'archive')
    assert.deepEqual(
      (await keys('files/')).filter((key) => !before.includes(key)),
      [file.storage_key],
    )
  },
)
