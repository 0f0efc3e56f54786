import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TestApp, testApp } from '../support/test-app.ts'

// What arrives on the wire before it is a request, and what clients do with their connections. Nothing
// here depends on the database, so one is enough.

let kura: TestApp
let port: number
let headers: string

before(async () => {
  kura = await testApp()
  await kura.app.listen({ host: '127.0.0.1', port: 0 })
  port = (kura.app.server.address() as { port: number }).port
  headers = `Host: kura\r\nAuthorization: Bearer ${kura.key}\r\n`
})
after(() => kura.close())

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** All that the server says until it closes the connection. */
async function answerTo(bytes: string | Buffer): Promise<string> {
  const socket = await open()
  const parts: Buffer[] = []
  socket.on('data', (part: Buffer) => parts.push(part))
  socket.setTimeout(20_000, () => socket.destroy(new Error('The server neither answers nor closes.')))
  socket.write(bytes)
  await once(socket, 'close')
  return Buffer.concat(parts).toString()
}

const list = (more = '') => `POST /v1/buckets/list HTTP/1.1\r\n${headers}Content-Length: 2\r\n${more}\r\n{}`

test('what is no HTTP gets a 4xx with the error envelope, and the connection ends', async () => {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`
  const post = (more: string) => `POST /v1/buckets/list HTTP/1.1\r\n${headers}${more}`
  const cases: [number, string][] = [
    [400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    [400, 'GET / HTTP/9.9\r\n\r\n'],
    [400, `NONSENSE / HTTP/1.1\r\n${headers}\r\n`],
    [400, post('Content-Length: -1\r\n\r\n')],
    [400, post('Content-Length: 99999999999999999999\r\n\r\n')],
    [400, post('Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}')],
    [400, post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n')],
    [400, post('Transfer-Encoding: chunked\r\n\r\nZZ\r\n')],
    [431, `GET / HTTP/1.1\r\n${headers}X-A: ${'a'.repeat(20_000)}\r\n\r\n`],
    [400, get('/v1/buckets/%ff')],
    [400, get('/v1/buckets/%zz')],
    [400, get(`/v1/buckets/${'x'.repeat(600)}`)],
    [404, get('/v1/buckets/..%2f..%2fetc%2fpasswd')],
    [404, get('/v1/buckets/../../etc/passwd')],
    [404, get('//v1//buckets')],
  ]
  for (const [status, request] of cases) {
    const answer = await answerTo(Buffer.from(request, 'latin1'))
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${request}\n${answer}`)
    const body = JSON.parse(answer.split('\r\n\r\n')[1]!)
    assert.equal(body.success, false, request)
    assert.equal(body.status, status, request)
    assert.ok(body.error.message && body.error.code, request)
  }
})

test('a thousand requests sent at once on one connection are all answered, in their order', async () => {
  const requests = Array.from({ length: 1000 }, (_, i) =>
    list(`X-Request-Id: number-${i}\r\n${i === 999 ? 'Connection: close\r\n' : ''}`),
  )
  const answer = await answerTo(requests.join(''))
  const ids = [...answer.matchAll(/HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)*?x-request-id: (\S+)/gi)].map(
    (match) => match[1],
  )
  assert.deepEqual(
    ids,
    Array.from({ length: 1000 }, (_, i) => `number-${i}`),
  )
})

test('half-open connections and clients that do not read keep nobody waiting', async (t) => {
  const sockets: Socket[] = []
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  const halves = [
    `POST /v1/buckets/list HTTP/1.1\r\n${headers}Content-Length: 1000\r\n\r\n{`,
    'POST /v1/buckets/li',
    `POST /v1/buckets/list HTTP/1.1\r\n${headers}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
    '',
  ]
  for (let i = 0; i < 200; i++) {
    const socket = await open()
    socket.write(halves[i % halves.length]!)
    sockets.push(socket)
  }
  for (let i = 0; i < 20; i++) {
    const socket = await open()
    socket.pause()
    socket.write(`GET /openapi.json HTTP/1.1\r\n${headers}\r\n`.repeat(20))
    sockets.push(socket)
  }
  const started_ms = performance.now()
  for (let i = 0; i < 20; i++)
    assert.ok((await answerTo(list('Connection: close\r\n'))).startsWith('HTTP/1.1 200'))
  assert.ok(performance.now() - started_ms < 10_000)
})

test('a request that arrives byte by byte is answered', async () => {
  const socket = await open()
  const answer = once(socket, 'data')
  for (const character of list()) {
    socket.write(character)
    await sleep(1)
  }
  assert.ok(String((await answer)[0]).startsWith('HTTP/1.1 200'))
  socket.destroy()
})

test('clients that hang up in the middle are forgotten', async () => {
  for (let i = 0; i < 100; i++) {
    const socket = await open()
    socket.write(`GET /openapi.json HTTP/1.1\r\n${headers}\r\n`)
    if (i % 2 === 0) await sleep(1)
    socket.resetAndDestroy()
  }
  assert.equal((await kura.request('GET', '/v1/health/liveness')).status, 200)
})
