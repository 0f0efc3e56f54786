import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, before, describe, test } from 'node:test'
import { KuraError } from '../../src/core/errors.ts'
import { collect } from '../../src/lib/streams.ts'
import type { BlobStore } from '../../src/platform/blobs/blobs.ts'
import { openBlobs, tryBlobs } from '../../src/platform/blobs/open-blobs.ts'
import { listed, s3Config } from '../support/blob-stores.ts'
import { type FaultProxy, type SeenRequest, startFaultProxy } from '../support/fault-proxy.ts'
import { S3_SERVER_MISSING, type S3Server, startS3Server } from '../support/s3-server.ts'

const MIB = 1024 * 1024
const LIMIT = { limit_bytes: 100 * MIB }
const LARGE = randomBytes(20 * MIB)

async function* stream(...chunks: Uint8Array[]) {
  yield* chunks
}
const errorXml = (code: string) =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`

describe('blob store: s3, beyond what every store does', { skip: S3_SERVER_MISSING }, () => {
  let server: S3Server
  let proxy: FaultProxy
  let store: BlobStore

  before(async () => {
    server = await startS3Server()
    await server.createBucket('kura')
    proxy = await startFaultProxy(server.endpoint)
    store = openBlobs(s3Config({ ...server, endpoint: proxy.url }))
  })
  afterEach(() => {
    proxy.fault = () => undefined
    proxy.seen.length = 0
  })
  after(async () => {
    await proxy.close()
    await server.stop()
  })

  const content = async (key: string) => Buffer.from(await collect(await store.read(key)))
  /** Lets the first `count` requests that match meet the fault. */
  const failing = (
    count: number,
    matches: (request: SeenRequest) => boolean,
    fault: ReturnType<FaultProxy['fault']>,
  ) => {
    let left = count
    proxy.fault = (request) => (matches(request) && left-- > 0 ? fault : undefined)
  }

  test('every way of writing names the storage class in the words of S3', async () => {
    const classes = {
      standard: 'STANDARD',
      nearline: 'STANDARD_IA',
      coldline: 'GLACIER_IR',
      archive: 'GLACIER',
    }
    for (const [storage_class, expected] of Object.entries(classes)) {
      const named = () =>
        proxy.seen.map(({ headers }) => headers['x-amz-storage-class']).filter((name) => name)
      await store.put('class/small', stream(Buffer.from('x')), { ...LIMIT, storage_class })
      await store.put('class/large', stream(LARGE), { ...LIMIT, storage_class })
      await store.resumable.begin('class/resumed', { storage_class })
      await store.resumable.append('class/resumed', 0, stream(Buffer.from('x')), LIMIT)
      await store.resumable.finish('class/resumed')
      // The last one twice: when the write begins, and when it turns out to be smaller than a part.
      assert.deepEqual(named(), [expected, expected, expected, expected])
      proxy.seen.length = 0
    }
    await store.put('class/none', stream(Buffer.from('x')), { ...LIMIT, storage_class: null })
    assert.equal(proxy.seen[0]!.headers['x-amz-storage-class'], undefined)
  })

  test('an answer 503 and a broken connection are tried again', async () => {
    for (const fault of [
      { kind: 'answer', status: 503, body: errorXml('SlowDown') },
      { kind: 'drop' },
    ] as const) {
      failing(2, ({ method }) => method === 'PUT', fault)
      await store.put('retry/small', stream(Buffer.from('again')), LIMIT)
      assert.equal((await content('retry/small')).toString(), 'again')
      failing(2, ({ url }) => url.includes('partNumber=2'), fault)
      await store.put('retry/large', stream(LARGE), LIMIT)
      assert.ok(LARGE.equals(await content('retry/large')))
    }
  })

  test('a store that keeps failing is a clear error, and leaves nothing behind', async () => {
    proxy.fault = ({ url }) => (url.includes('partNumber=') ? { kind: 'answer', status: 503 } : undefined)
    await assert.rejects(store.put('down/large', stream(LARGE), LIMIT), (error) => {
      assert.ok(error instanceof KuraError)
      assert.equal(error.code, 'storage_unavailable')
      assert.equal(error.row.status, 503)
      assert.ok(error.row.retryable)
      return true
    })
    proxy.fault = () => undefined
    assert.deepEqual(await listed(store, 'down/'), [])
  })

  test('when the answer to the last step got lost, the blob is there and the write has succeeded', async () => {
    const isComplete = ({ method, url }: SeenRequest) =>
      method === 'POST' && url.includes('uploadId=') && !url.includes('uploads')
    failing(1, isComplete, { kind: 'lose_answer' })
    await store.put('lost/put', stream(LARGE), LIMIT)
    assert.ok(LARGE.equals(await content('lost/put')))
    await store.resumable.begin('lost/resumed', {})
    await store.resumable.append('lost/resumed', 0, stream(LARGE), LIMIT)
    failing(1, isComplete, { kind: 'lose_answer' })
    await store.resumable.finish('lost/resumed')
    assert.ok(LARGE.equals(await content('lost/resumed')))
    assert.equal((await listed(store, 'lost/')).length, 2)
  })

  test('a resumable write goes on after an append whose parts failed to arrive', async () => {
    const key = 'resume/failed'
    await store.resumable.begin(key, {})
    proxy.fault = ({ url }) => (url.includes('partNumber=2') ? { kind: 'answer', status: 500 } : undefined)
    await assert.rejects(store.resumable.append(key, 0, stream(LARGE), LIMIT), {
      code: 'storage_unavailable',
    })
    proxy.fault = () => undefined
    const offset = (await store.resumable.offset(key))!
    assert.equal(offset, 8 * MIB, 'what the first part held is durable')
    await store.resumable.append(key, offset, stream(LARGE.subarray(offset)), LIMIT)
    await store.resumable.finish(key)
    assert.ok(LARGE.equals(await content(key)))
  })

  test('a finish that broke off between its last part and the end can be repeated', async () => {
    const key = 'resume/finish'
    await store.resumable.begin(key, {})
    await store.resumable.append(key, 0, stream(LARGE), LIMIT)
    proxy.fault = ({ method }) =>
      method === 'POST' ? { kind: 'answer', status: 403, body: errorXml('AccessDenied') } : undefined
    await assert.rejects(store.resumable.finish(key), { code: 'storage_unavailable' })
    proxy.fault = () => undefined
    assert.equal(await store.resumable.offset(key), LARGE.length)
    assert.deepEqual(await store.resumable.finish(key), { size_bytes: LARGE.length })
    assert.ok(LARGE.equals(await content(key)))
  })

  test('a read goes on where its connection broke, also within a range', async () => {
    await store.put('read/cut', stream(LARGE), LIMIT)
    failing(2, ({ method }) => method === 'GET', { kind: 'cut', after_bytes: 3 * MIB })
    assert.ok(LARGE.equals(await content('read/cut')))
    assert.equal(proxy.seen.filter(({ method }) => method === 'GET').length, 3)
    failing(1, ({ method }) => method === 'GET', { kind: 'cut', after_bytes: 1000 })
    const part = await collect(await store.read('read/cut', { start: 5, end: 2 * MIB }))
    assert.ok(LARGE.subarray(5, 2 * MIB + 1).equals(part))
  })

  test('an archived object says so', async () => {
    await store.put('read/archived', stream(Buffer.from('x')), LIMIT)
    proxy.fault = () => ({ kind: 'answer', status: 403, body: errorXml('InvalidObjectState') })
    await assert.rejects(store.read('read/archived'), { code: 'file_archived' })
  })

  test('a storage class that the store does not have says so', async () => {
    proxy.fault = () => ({ kind: 'answer', status: 400, body: errorXml('InvalidStorageClass') })
    const put = store.put('class/unknown', stream(Buffer.from('x')), { ...LIMIT, storage_class: 'coldline' })
    await assert.rejects(put, { code: 'storage_class_refused' })
  })

  test('a presigned address takes bytes of the declared type only, and gives them under a name', async () => {
    const presign = store.presign!
    const put = await presign.put('signed/a', { expires_in_seconds: 60, mime_type: 'image/png' })
    assert.ok(put.length <= 2083)
    const send = (type: string) =>
      fetch(put, { method: 'PUT', headers: { 'content-type': type }, body: 'picture' })
    assert.equal((await send('text/html')).status, 403)
    assert.equal((await send('image/png')).status, 200)
    const names = { expires_in_seconds: 60, mime_type: 'image/png', filename: 'ein Bild ä".png' }
    const answer = await fetch(await presign.get('signed/a', names))
    assert.equal(await answer.text(), 'picture')
    assert.equal(answer.headers.get('content-type'), 'image/png')
    assert.match(
      answer.headers.get('content-disposition')!,
      /^attachment; filename\*=UTF-8''ein%20Bild%20%C3%A4%22\.png$/,
    )
    const tampered = (await presign.get('signed/a', names)).replace('signed/a', 'signed/b')
    assert.equal((await fetch(tampered)).status, 403)
  })

  test('addresses for clients lead to the public endpoint, and none are given where that is off', async () => {
    const config = s3Config(server)
    const { presign } = openBlobs({ ...config, s3_public_endpoint: 'https://files.example.com' })
    const url = await presign!.get('a', { expires_in_seconds: 60, mime_type: 'text/plain', filename: null })
    assert.match(url, /^https:\/\/files\.example\.com\/kura\/some\/prefix\/a\?/)
    assert.equal(openBlobs({ ...config, s3_presign: false }).presign, undefined)
  })

  test('wrong settings are refused at the start with what to do, a store that is down only reported', async () => {
    const config = s3Config(server)
    const warned: string[] = []
    const log = { warn: (_details: object, message: string) => void warned.push(message) }
    const attempt = (changed: Partial<typeof config>) => {
      const all = { ...config, ...changed }
      return tryBlobs(openBlobs(all), all.storage_url, log)
    }
    await attempt({})
    await assert.rejects(attempt({ storage_url: 's3://nothing-here' }), /there is no bucket "nothing-here"/)
    await assert.rejects(attempt({ s3_secret_access_key: 'wrong' }), /refuses the access key/)
    await assert.rejects(attempt({ s3_access_key_id: 'wrong' }), /refuses the access key/)
    await assert.rejects(attempt({ s3_endpoint: 'http://no-such-host.invalid' }), /no such host/)
    for (const message of [/KURA_STORAGE_URL/, /KURA_S3_ACCESS_KEY_ID/])
      await assert.rejects(attempt({ s3_secret_access_key: 'wrong-secret' }), (error: Error) => {
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /wrong-secret/)
        return true
      })
    assert.deepEqual(warned, [])
    await server.pause()
    try {
      await attempt({})
    } finally {
      await server.resume()
    }
    assert.equal(warned.length, 1)
    await attempt({})
  })

  test('addresses and settings that make no sense are refused with what they should be', () => {
    const config = s3Config(server)
    for (const changed of [
      { storage_url: 's3://' },
      { storage_url: 's3://Capitals/x' },
      { storage_url: 's3://bucket/../up' },
      { storage_url: 's3://bucket/with space' },
      { storage_url: 'gs://bucket' },
      { s3_endpoint: 'localhost:9000' },
      { s3_public_endpoint: 'ftp://x' },
      { s3_secret_access_key: '' },
    ])
      assert.throws(
        () => openBlobs({ ...config, ...changed }),
        { code: 'config_invalid' },
        JSON.stringify(changed),
      )
  })

  test('stores below different prefixes of one bucket do not see each other', async () => {
    const other = openBlobs(s3Config(server, 'kura/some'))
    await store.put('shared/a', stream(Buffer.from('1')), LIMIT)
    assert.equal(await other.size('shared/a'), null)
    assert.equal(await other.size('prefix/shared/a'), 1)
    assert.deepEqual(
      (await listed(store, 'shared/')).map(({ key }) => key),
      ['shared/a'],
    )
  })
})
