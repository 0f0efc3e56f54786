import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')
const PROPERTIES = { hero: { type: 'image' }, body: { type: 'text' }, paper: { type: 'pdf' } } as const

/** A web server of files, some of which are trouble. */
const PAGES: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/dot.gif': (_, response) =>
    response.setHeader('content-type', 'image/gif').setHeader('content-length', GIF.length).end(GIF),
  '/untyped': (_, response) => response.setHeader('content-type', 'application/octet-stream').end(GIF),
  '/named': (_, response) =>
    response
      .setHeader('content-disposition', `attachment; filename="x.gif"; filename*=UTF-8''b%C3%BCcher.gif`)
      .end(GIF),
  '/page.html': (_, response) =>
    response.setHeader('content-type', 'text/html').end('<!doctype html><p>Hi</p>'),
  '/missing': (_, response) => response.writeHead(404).end(),
  '/moved': (_, response) => response.writeHead(302, { location: '/dot.gif' }).end(),
  '/away': (_, response) => response.writeHead(302, { location: 'http://10.0.0.1/x' }).end(),
  '/get-only': (request, response) =>
    request.method === 'HEAD'
      ? response.writeHead(403).end()
      : response.setHeader('content-type', 'image/gif').end(GIF),
  '/huge': (_, response) =>
    response.setHeader('content-type', 'image/gif').end(Buffer.concat([GIF, Buffer.alloc(400_000)])),
  // 100 MB of zeros in 100 KB.
  '/bomb': (_, response) =>
    response
      .setHeader('content-type', 'image/gif')
      .setHeader('content-encoding', 'gzip')
      .end(gzipSync(Buffer.alloc(100_000_000))),
  '/packed': (_, response) =>
    response.setHeader('content-type', 'image/gif').setHeader('content-encoding', 'gzip').end(gzipSync(GIF)),
  '/torn': (_, response) =>
    response
      .setHeader('content-type', 'image/gif')
      .setHeader('content-encoding', 'gzip')
      .end(gzipSync(Buffer.alloc(200_000, 'GIF89a')).subarray(0, 100)),
  '/odd-encoding': (_, response) => response.setHeader('content-encoding', 'zstd-x').end(GIF),
  '/endless': (_, response) => {
    response.setHeader('content-type', 'image/gif').write(GIF)
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', more)
    more()
  },
  /** Says 10 bytes and sends more, which in HTTP is no part of this answer. */
  '/longer': (_, response) =>
    response.socket!.end(
      Buffer.concat([
        Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: image/gif\r\ncontent-length: 10\r\n\r\n'),
        GIF,
      ]),
    ),
  '/claims-huge': (_, response) => {
    response.writeHead(200, { 'content-type': 'image/gif', 'content-length': '99999999999' })
    response.write(GIF)
  },
  /** A program that is called a picture. */
  '/lie.gif': (_, response) =>
    response
      .setHeader('content-type', 'image/gif')
      .end(Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01\0'), Buffer.alloc(64)])),
  '/round': (_, response) => response.writeHead(302, { location: '/round' }).end(),
  '/to-metadata': (_, response) =>
    response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
  '/to-file': (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-type': 'image/gif', 'content-length': '200000' })
    response.write(Buffer.concat([GIF, Buffer.alloc(100_000)]), () => response.destroy())
  },
}

for (const dialect of DIALECTS) {
  describe(`URL blobs (${dialect})`, () => {
    const seen: string[] = []
    const server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      PAGES[request.url!.split('?')[0]!]!(request, response)
    })
    let web: string
    let kura: ObjectsApp
    let bucket_id: string
    before(async () => {
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
      const { port } = server.address() as AddressInfo
      web = `http://127.0.0.1:${port}`
      kura = await objectsApp(dialect, {
        KURA_ALLOWED_PRIVATE_HOSTS: `127.0.0.1:${port}`,
        KURA_URL_BLOB_LIMIT_BYTES: '300000',
      })
      bucket_id = await kura.bucket({ schema: { properties: PROPERTIES } })
    })
    after(async () => {
      await kura.close()
      server.closeAllConnections()
      server.close()
    })

    const blob = async (one: object, more: object = {}) =>
      (await kura.create(bucket_id, { blobs: [{ property: 'hero', ...one }], ...more })).blobs[0]
    const refuses = (status: number, code: string, one: object, more: object = {}) =>
      kura.refuses(status, code, bucket_id, { blobs: [{ property: 'hero', ...one }], ...more })

    test('the bytes are copied into our store during the request', async () => {
      const created = await blob({ data: `${web}/dot.gif?token=1` })
      assert.match(created.properties.url, /^kura:/)
      assert.deepEqual(created.details.mime_type, 'image/gif')
      assert.equal(created.details.filename, 'dot.gif')
      assert.equal(created.details.size_bytes, GIF.length)
      assert.ok(GIF.equals(await kura.stored(created)))
    })

    test('an object with a url keeps its other members as properties', async () => {
      const created = await blob({ data: { url: `${web}/dot.gif`, credit: 'me' } })
      assert.equal(created.properties.credit, 'me')
      assert.match(created.properties.url, /^kura:/)
    })

    test('the type is sniffed where the server does not tell, the name read from its header', async () => {
      assert.equal((await blob({ data: `${web}/untyped` })).details.mime_type, 'image/gif')
      assert.equal((await blob({ data: `${web}/named` })).details.filename, 'bücher.gif')
    })

    test('redirects are followed, but not into private networks', async () => {
      assert.equal((await blob({ data: `${web}/moved` })).details.filename, 'dot.gif')
      const { error } = await refuses(400, 'url_not_allowed', { data: `${web}/away` })
      assert.equal(error.type, 'URLValidationError')
    })

    test('with canonicalize_source false the URL is looked at and kept; the blob decides over the object', async () => {
      seen.length = 0
      const kept = await blob({ data: `${web}/dot.gif` }, { canonicalize_source: false })
      assert.deepEqual(seen, ['HEAD /dot.gif'])
      assert.equal(kept.properties.url, `${web}/dot.gif`)
      assert.deepEqual(kept.details, { filename: 'dot.gif', size_bytes: GIF.length, mime_type: 'image/gif' })
      const copied = await blob(
        { data: `${web}/dot.gif`, canonicalize_source: true },
        { canonicalize_source: false },
      )
      assert.match(copied.properties.url, /^kura:/)
      assert.equal(
        (await blob({ data: `${web}/get-only` }, { canonicalize_source: false })).properties.url,
        `${web}/get-only`,
      )
      await refuses(400, 'url_not_usable', { data: `${web}/missing` }, { canonicalize_source: false })
      await refuses(422, 'blob_type_mismatch', { data: `${web}/page.html` }, { canonicalize_source: false })
    })

    test('a URL that cannot be used is a 400 that says why, and leaves nothing behind', async () => {
      const before = await kura.storedKeys()
      for (const [data, reason] of [
        [`${web}/missing`, /status 404/],
        [`${web}/huge`, /more than 300000 bytes/],
        [`${web}/cut`, /closed the connection/],
        ['s3://bucket/key', /no connection/],
        ['gs://bucket/key', /no connection/],
      ] as const) {
        const { error } = await refuses(400, 'url_not_usable', { data })
        assert.equal(error.type, 'URLValidationError')
        assert.match(error.message, reason)
      }
      assert.deepEqual(await kura.storedKeys(), before)
    })

    test('answers that lie, swell, never end or lead astray are one clear error each, and nothing stays', async () => {
      const before = await kura.storedKeys()
      const rows = () => kura.deps.db.selectFrom('files').select('file_id').execute()
      const filesBefore = await rows()
      const wrong: [string, number, string, RegExp][] = [
        ['/bomb', 400, 'url_not_usable', /more than 300000 bytes/],
        ['/endless', 400, 'url_not_usable', /more than 300000 bytes/],
        ['/claims-huge', 400, 'url_not_usable', /more than 300000 bytes/],
        ['/torn', 400, 'url_not_usable', /./],
        ['/odd-encoding', 400, 'url_not_usable', /encoding/],
        ['/round', 400, 'url_not_usable', /redirects/],
        ['/to-metadata', 400, 'url_not_allowed', /./],
        ['/to-file', 400, 'url_not_allowed', /./],
        ['/lie.gif', 422, 'blob_type_mismatch', /image/],
      ]
      for (const [path, status, code, reason] of wrong) {
        const { error } = await refuses(status, code, { data: web + path })
        assert.match(error.message, reason, path)
        assert.doesNotMatch(JSON.stringify(error), /127\.0\.0\.1|169\.254|at \w+ \(/, path)
      }
      assert.deepEqual(await kura.storedKeys(), before)
      assert.deepEqual(await rows(), filesBefore)
    })

    test('a compressed answer is unpacked; more bytes than announced are not read', async () => {
      assert.ok(GIF.equals(await kura.stored(await blob({ data: `${web}/packed` }))))
      assert.equal((await blob({ data: `${web}/longer` })).details.size_bytes, 10)
    })

    test('one bad blob of several leaves nothing of the good ones', async () => {
      const before = await kura.storedKeys()
      const large = { base64: Buffer.concat([GIF, Buffer.alloc(100_000)]).toString('base64') }
      await kura.refuses(400, 'url_not_usable', bucket_id, {
        blobs: [
          { property: 'hero', data: large },
          { property: 'hero', data: `${web}/bomb` },
        ],
      })
      assert.deepEqual(await kura.storedKeys(), before)
    })

    test('a page where a picture should be is a type mismatch', async () => {
      const { error } = await refuses(422, 'blob_type_mismatch', { data: `${web}/page.html` })
      assert.match(error.message, /text\/html/)
    })

    test('every private address that is not allow-listed is refused', async () => {
      for (const data of [
        'http://127.0.0.1:1/x',
        'http://localhost/x',
        'http://[::1]/x',
        'http://169.254.169.254/latest/',
        'http://0x7f000001/',
        'http://10.1.2.3/',
      ])
        await refuses(400, 'url_not_allowed', { data })
    })

    test('a text property fetches only what is a URL as a whole', async () => {
      const fetched = await blob({ property: 'body', data: ` ${web}/page.html\n` })
      assert.equal(fetched.details.mime_type, 'text/html')
      assert.equal(fetched.properties.text, undefined)
      const words = await blob({ property: 'body', data: `see ${web}/page.html for more` })
      assert.equal(words.details.mime_type, 'text/plain')
      assert.equal(words.properties.text, `see ${web}/page.html for more`)
    })
  })
}
