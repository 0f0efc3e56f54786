import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import type { App } from './app.ts'
import { limitSlowRequests } from './slow-requests.ts'

const MINUTE_MS = 60_000

/** A server whose handler takes `taken_bytes` of a streamed body and then does something else for ever. */
async function stalled(t: TestContext, taken_bytes: number, sent_bytes: number) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const app = fastify() as unknown as App
  limitSlowRequests(app)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  let isCut = false
  app.put('/', { config: { streams: true } }, async (request) => {
    request.raw.on('error', () => {
      isCut = true
    })
    let taken = 0
    for await (const chunk of request.raw.iterator({ destroyOnReturn: false })) {
      taken += (chunk as Buffer).byteLength
      if (taken >= taken_bytes) break
    }
    await new Promise(() => undefined)
  })
  const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  t.after(async () => {
    socket.destroy()
    app.server.closeAllConnections()
    await app.close()
  })
  await once(socket, 'connect')
  socket.write(`PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n`)
  socket.write(Buffer.alloc(sent_bytes))
  await sleep(100)
  for (let minute = 0; minute < 3; minute++) {
    t.mock.timers.tick(MINUTE_MS)
    await sleep(20)
  }
  return isCut
}

test('a streamed body that stands still is cut off', async (t) => {
  assert.equal(await stalled(t, Number.POSITIVE_INFINITY, 1000), true)
})

test('a client is not blamed for bytes that wait for the server', async (t) => {
  assert.equal(await stalled(t, 1000, 4_000_000), false)
})
