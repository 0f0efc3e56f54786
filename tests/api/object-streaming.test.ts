import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'

const MIB = 1024 * 1024
const SIZE_MIB = 200

/** Bytes that begin as a GIF does and go on for long; no chunk is kept. */
function* gif(): Generator<Buffer> {
  const first = Buffer.alloc(MIB)
  Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64').copy(first)
  yield first
  const rest = Buffer.alloc(MIB, 'kura')
  for (let i = 1; i < SIZE_MIB; i++) yield rest
}

describe('large files through the API', () => {
  const server = createServer(async (request, response) => {
    response.setHeader('content-type', 'image/gif')
    const isCut = request.url === '/cut'
    let sent = 0
    for (const chunk of gif()) {
      if (isCut && ++sent > 5) return response.destroy()
      if (!response.write(chunk)) await new Promise((ready) => response.once('drain', ready))
    }
    response.end()
  })
  let web: string
  let kura: ObjectsApp
  let bucket_id: string
  before(async () => {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as AddressInfo
    web = `http://127.0.0.1:${port}`
    kura = await objectsApp('sqlite', { KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' })
    bucket_id = await kura.bucket({ schema: { properties: { hero: { type: 'image' } } } })
    await kura.app.listen({ port: 0 })
  })
  after(async () => {
    await kura.close()
    server.closeAllConnections()
    server.close()
  })

  test('a file from a URL goes into the store and out again in constant memory', async () => {
    const start = process.memoryUsage.rss()
    let peak = start
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss())
    }, 20)
    const created = await kura.create(bucket_id, { blobs: [{ property: 'hero', data: `${web}/big.gif` }] })
    const { size_bytes, hash } = created.blobs[0].details
    assert.equal(size_bytes, SIZE_MIB * MIB)
    assert.equal(hash, await sha256Of(gif()))

    const file_id = created.blobs[0].properties.url.replace('kura://files/', '')
    const base_url = `http://127.0.0.1:${(kura.app.server.address() as AddressInfo).port}`
    const url = kura.deps.files.signedUrl(kura.scope, file_id, { expires_in_seconds: 60, base_url })
    const { body } = await fetch(url)
    assert.equal(await sha256Of(body!), hash)
    clearInterval(watch)
    // Server, web server and both clients share this process, so several streams run at once.
    assert.ok(peak - start < 150 * MIB, `memory grew by ${Math.round((peak - start) / MIB)} MiB`)
    assert.equal((await kura.request('DELETE', `${bucket_id}/objects/${created.object_id}`)).status, 204)
    assert.deepEqual(await kura.storedKeys(), [])
  })

  test('a source that breaks off in the middle leaves neither object nor bytes', async () => {
    const blobs = [{ property: 'hero', data: `${web}/cut` }]
    await kura.refuses(400, 'url_not_usable', bucket_id, { blobs })
    assert.deepEqual(await kura.storedKeys(), [])
    assert.equal((await kura.request('GET', bucket_id)).body.object_count, 0)
  })
})

async function sha256Of(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}
