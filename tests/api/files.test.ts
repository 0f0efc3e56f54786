import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { inTransaction } from '../../src/platform/db/db.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

const SMALL = Buffer.from('0123456789')
const LARGE = Buffer.alloc(300_000, 'abcdefghij')

type Download = { status: number; headers: IncomingHttpHeaders; body: Buffer }

for (const dialect of DIALECTS) {
  describe(`downloads (${dialect})`, () => {
    let kura: ObjectsApp
    let base_url: string
    before(async () => {
      kura = await objectsApp(dialect)
      await kura.app.listen({ port: 0 })
      base_url = `http://127.0.0.1:${(kura.app.server.address() as AddressInfo).port}`
    })
    after(() => kura.close())

    async function keep(bytes: Uint8Array, mime_type = 'text/plain', filename: string | null = 'a.txt') {
      const { db, files } = kura.deps
      const staged = await files.stage(kura.scope, bytes, { mime_type, filename, limit_bytes: 1e9 })
      const owner = { type: 'object' as const, id: 'obj_test' }
      const [file_id] = await inTransaction(db, (trx) => files.commit(trx, kura.scope, [staged], owner))
      return file_id!
    }
    const urlOf = (file_id: string, expires_in_seconds = 60) =>
      kura.deps.files.signedUrl(kura.scope, file_id, { expires_in_seconds, base_url })

    function download(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Download> {
      return new Promise((resolve, reject) => {
        httpRequest(url, { method, headers }, (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () =>
            resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
          )
        })
          .on('error', reject)
          .end()
      })
    }

    for (const [name, bytes] of [
      ['small', SMALL],
      ['large', LARGE],
    ] as const) {
      test(`a ${name} file: whole, in parts, HEAD, and a range that cannot be`, async () => {
        const url = urlOf(await keep(bytes))
        const whole = await download(url)
        assert.equal(whole.status, 200)
        assert.ok(bytes.equals(whole.body))
        assert.equal(whole.headers['content-length'], String(bytes.length))
        assert.equal(whole.headers['accept-ranges'], 'bytes')
        assert.match(whole.headers.etag!, /^"[0-9a-f]{64}"$/)
        for (const [range, start, end] of [
          ['bytes=2-5', 2, 5],
          [`bytes=${bytes.length - 3}-`, bytes.length - 3, bytes.length - 1],
          ['bytes=-4', bytes.length - 4, bytes.length - 1],
          ['bytes=0-999999999', 0, bytes.length - 1],
        ] as const) {
          const part = await download(url, { range })
          assert.equal(part.status, 206, range)
          assert.equal(part.headers['content-range'], `bytes ${start}-${end}/${bytes.length}`)
          assert.equal(part.headers['content-length'], String(end - start + 1))
          assert.ok(bytes.subarray(start, end + 1).equals(part.body), range)
        }
        const beyond = await download(url, { range: `bytes=${bytes.length}-` })
        assert.equal(beyond.status, 416)
        assert.equal(beyond.headers['content-range'], `bytes */${bytes.length}`)
        assert.equal(JSON.parse(beyond.body.toString()).error.code, 'range_not_satisfiable')
        assert.ok(
          bytes.equals((await download(url, { range: 'bytes=0-1,4-5' })).body),
          'several ranges: the whole',
        )
        const head = await download(url, {}, 'HEAD')
        assert.deepEqual(
          [head.status, head.headers['content-length'], head.body.length],
          [200, String(bytes.length), 0],
        )
        const headPart = await download(url, { range: 'bytes=1-3' }, 'HEAD')
        assert.deepEqual([headPart.status, headPart.headers['content-length']], [206, '3'])
      })
    }

    test('an empty file is a file', async () => {
      const url = urlOf(await keep(new Uint8Array()))
      const whole = await download(url)
      assert.deepEqual([whole.status, whole.headers['content-length']], [200, '0'])
      assert.equal((await download(url, { range: 'bytes=0-' })).status, 416)
    })

    test('validators: If-None-Match saves the body, If-Range guards a part', async () => {
      const url = urlOf(await keep(SMALL))
      const { etag } = (await download(url)).headers
      const same = await download(url, { 'if-none-match': etag! })
      assert.deepEqual([same.status, same.body.length], [304, 0])
      assert.equal((await download(url, { 'if-none-match': '"other"' })).status, 200)
      assert.equal((await download(url, { range: 'bytes=0-1', 'if-range': etag! })).status, 206)
      assert.equal((await download(url, { range: 'bytes=0-1', 'if-range': '"other"' })).status, 200)
    })

    test('a damaged, expired or foreign signature is a 403, whatever it asks for', async () => {
      const file_id = await keep(SMALL)
      const url = urlOf(file_id)
      const other = await keep(SMALL)
      for (const wrong of [
        url.slice(0, -2),
        url.replace(/signature=(.)/, (_, first) => `signature=${first === '_' ? 'A' : '_'}`),
        url.replace(/expires=\d+/, 'expires=9999999999'),
        url.replace(/expires=\d+/, 'expires=never'),
        url.replace(/\?.*/, ''),
        url.replace(file_id, other),
        url.replace(file_id, 'file_missing'),
        url.replace(kura.namespace_id, 'ns_0000000000'),
        urlOf(file_id, -1),
      ]) {
        const answer = await download(wrong)
        assert.equal(answer.status, 403, wrong)
        assert.equal(JSON.parse(answer.body.toString()).error.code, 'signature_invalid')
      }
      assert.equal((await download(urlOf('file_missing'))).status, 404)
    })

    test('stored pages cannot act: sandboxed, never sniffed, downloaded', async () => {
      const page = await download(urlOf(await keep(Buffer.from('<script>1</script>'), 'text/html', 'p.html')))
      assert.match(String(page.headers['content-security-policy']), /sandbox; default-src 'none'/)
      assert.match(page.headers['content-disposition']!, /^attachment/)
      assert.equal(page.headers['x-content-type-options'], 'nosniff')
      const svg = await download(urlOf(await keep(Buffer.from('<svg/>'), 'image/svg+xml', 'p.svg')))
      assert.match(String(svg.headers['content-security-policy']), /sandbox/)
      assert.match(svg.headers['content-disposition']!, /^inline/)
      const png = await download(urlOf(await keep(SMALL, 'image/png', 'p.png')))
      assert.equal(png.headers['content-security-policy'], undefined)
      assert.match(png.headers['content-disposition']!, /^inline/)
      assert.equal(png.headers['x-content-type-options'], 'nosniff')
    })

    test('file names travel whole and cannot break the header', async () => {
      const url = urlOf(await keep(SMALL, 'text/plain', 'Bü"ch\\er\r\nx: 1.txt'))
      const { headers } = await download(url)
      assert.equal(
        headers['content-disposition'],
        `inline; filename="B__ch_er__x: 1.txt"; filename*=UTF-8''B%C3%BC%22ch%5Cer%0D%0Ax%3A%201.txt`,
      )
    })

    test('any page may read it, and ask for parts', async () => {
      const url = urlOf(await keep(SMALL))
      const { headers } = await download(url, { origin: 'https://anywhere.example' })
      assert.equal(headers['access-control-allow-origin'], '*')
      assert.equal(headers['access-control-allow-credentials'], undefined)
      assert.match(headers['access-control-expose-headers']!, /Content-Range/)
      const preflight = await download(
        url,
        {
          origin: 'https://anywhere.example',
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'range',
        },
        'OPTIONS',
      )
      assert.equal(preflight.status, 204)
      assert.equal(preflight.headers['access-control-allow-origin'], '*')
      assert.match(preflight.headers['access-control-allow-headers']!, /Range/)
    })

    test('the address in an object works without a key', async () => {
      const id = await kura.bucket({ schema: { properties: { body: { type: 'text' } } } })
      const { object_id } = await kura.create(id, { blobs: [{ property: 'body', data: 'signed words' }] })
      const { body } = await kura.request('GET', `${id}/objects/${object_id}?return_url=true`)
      const { pathname, search } = new URL(body.blobs[0].properties.presigned_url)
      const answer = await download(`${base_url}${pathname}${search}`)
      assert.equal(answer.body.toString(), 'signed words')
      assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
    })

    test('a client that leaves in the middle leaves the server in order', async () => {
      const url = urlOf(await keep(Buffer.alloc(20_000_000)))
      await new Promise<void>((resolve) => {
        const request = httpRequest(url, (response) => response.once('data', () => request.destroy()))
        request.on('error', () => undefined).on('close', resolve)
        request.end()
      })
      assert.equal((await download(urlOf(await keep(SMALL)))).status, 200)
    })

    test('the route is not part of the published API', async () => {
      const { body } = await kura.app.inject('/openapi.json').then((response) => ({ body: response.json() }))
      assert.ok(!Object.keys(body.paths).some((path) => path.includes('/files/')))
    })
  })
}
