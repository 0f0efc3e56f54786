import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { collect } from '../../lib/streams.ts'
import { HttpClient, type OutboundRequest } from './http-client.ts'

const LIMITS = { limit_bytes: 1000, timeout_ms: 5000 }

type Seen = { url: string; method: string; headers: IncomingMessage['headers']; body: string }

describe('the outbound client', () => {
  const seen: Seen[] = []
  const handlers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    '/plain': (_, response) => response.setHeader('content-type', 'text/x').end('hello'),
    '/big': (_, response) => response.setHeader('content-length', 2000).end('x'.repeat(2000)),
    '/endless': (_, response) => {
      const write = () => response.write('x'.repeat(100), () => setImmediate(write))
      write()
    },
    '/gzip': (_, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync('packed')),
    '/bomb': (_, response) =>
      response.setHeader('content-encoding', 'gzip').end(gzipSync('0'.repeat(1_000_000))),
    '/odd': (_, response) => response.setHeader('content-encoding', 'zz').end('?'),
    '/missing': (_, response) => response.writeHead(404).end('no'),
    '/slow': () => undefined,
    '/stalls': (_, response) => void response.write('x'),
    '/cut': (_, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('x', () => response.destroy())
    },
    '/loop': (_, response) => redirect(response, '/loop'),
    '/relative': (_, response) => redirect(response, 'plain?x=1#part'),
    '/to-private': (_, response) => redirect(response, 'http://10.0.0.1/secret'),
    '/to-file': (_, response) => redirect(response, 'file:///etc/passwd'),
    '/to-metadata': (_, response) => redirect(response, `http://metadata.test:${port}/plain`),
    '/elsewhere': (_, response) => redirect(response, `http://other.test:${port}/plain`),
    '/see-other': (_, response) => redirect(response, '/plain', 303),
    '/same-method': (_, response) => redirect(response, '/plain', 307),
  }
  const redirect = (response: ServerResponse, location: string, status = 302) =>
    void response.writeHead(status, { location }).end('moved')
  const server = createServer(async (request, response) => {
    const body = (await collect(request)).toString()
    seen.push({ url: request.url!, method: request.method!, headers: request.headers, body })
    handlers[request.url!.split('?')[0]!]!(request, response)
  })
  let port: number
  let client: HttpClient
  let strict: HttpClient

  /** Names of the tests lead here; `metadata.test` to a cloud's metadata service. */
  const resolve = async (hostname: string) => {
    if (hostname === 'nowhere.test') throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
    if (hostname === 'metadata.test') return [{ address: '169.254.169.254', family: 4 }]
    if (hostname === 'half.test')
      return [
        { address: '8.8.8.8', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]
    return [{ address: '127.0.0.1', family: 4 }]
  }

  before(async () => {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    port = (server.address() as AddressInfo).port
    const allowed_private_hosts = `127.0.0.1:${port},files.test,other.test`
    client = new HttpClient({ allowed_private_hosts, resolve })
    strict = new HttpClient({ allowed_private_hosts: '', resolve })
  })
  after(async () => {
    await client.close()
    await strict.close()
    server.closeAllConnections()
    server.close()
  })

  async function get(path: string, options: Partial<OutboundRequest> = {}, host = 'files.test') {
    const response = await client.request(`http://${host}:${port}${path}`, { ...LIMITS, ...options })
    return { ...response, text: Buffer.from(await collect(response.body)).toString() }
  }

  test('an allowed host answers with status, headers and body', async () => {
    const { status, headers, text, url } = await get('/plain')
    assert.deepEqual([status, headers['content-type'], text], [200, 'text/x', 'hello'])
    assert.equal(url, `http://files.test:${port}/plain`)
    assert.equal((await get('/missing')).status, 404)
    assert.equal((await get('/plain', {}, '127.0.0.1')).text, 'hello')
  })

  test('every way to write a private address is refused before a connection is made', async () => {
    const count = seen.length
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '127.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0',
      '10.0.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '[fe80::1]',
      '224.0.0.1',
      'files.test',
      'localhost',
      'metadata.test',
      'half.test',
    ])
      await assert.rejects(
        strict.request(`http://${host}:${port}/plain`, LIMITS),
        { code: 'url_not_allowed' },
        host,
      )
    assert.equal(seen.length, count)
  })

  test('an allow-listed port does not open the others', async () => {
    await assert.rejects(client.request(`http://127.0.0.1:${port + 1}/`, LIMITS), { code: 'url_not_allowed' })
  })

  test('other schemes and credentials in the URL are refused', async () => {
    for (const url of [
      'ftp://files.test/x',
      'file:///etc/passwd',
      'gopher://files.test/',
      `http://u:p@files.test:${port}/plain`,
    ])
      await assert.rejects(client.request(url, LIMITS), { code: 'url_not_allowed' }, url)
    await assert.rejects(client.request('no url', LIMITS), { code: 'url_not_usable' })
  })

  test('redirects are followed at most five times, and each is checked again', async () => {
    assert.equal((await get('/relative')).url, `http://files.test:${port}/plain?x=1`)
    const before = seen.length
    await assert.rejects(get('/loop'), { code: 'url_not_usable', message: /redirects/ })
    assert.equal(seen.length - before, 6)
    for (const path of ['/to-private', '/to-file', '/to-metadata'])
      await assert.rejects(get(path), { code: 'url_not_allowed' }, path)
  })

  test('credentials stay on their host, other headers travel', async () => {
    const headers = { authorization: 'Bearer x', cookie: 'a=b', 'x-mark': 'kept' }
    await get('/relative', { headers })
    assert.equal(seen.at(-1)!.headers.authorization, 'Bearer x')
    await get('/elsewhere', { headers })
    const { authorization, cookie, 'x-mark': mark, host } = seen.at(-1)!.headers
    assert.deepEqual(
      [authorization, cookie, mark, host],
      [undefined, undefined, 'kept', `other.test:${port}`],
    )
  })

  test('a redirected POST becomes GET on 303, and stays POST with its body on 307', async () => {
    await get('/see-other', { method: 'POST', body: 'data' })
    assert.deepEqual([seen.at(-1)!.method, seen.at(-1)!.body], ['GET', ''])
    await get('/same-method', { method: 'POST', body: 'data' })
    assert.deepEqual([seen.at(-1)!.method, seen.at(-1)!.body], ['POST', 'data'])
  })

  test('allowed domains hold for the first address and for redirects', async () => {
    const allowed_domains = ['files.test']
    assert.equal((await get('/plain', { allowed_domains })).status, 200)
    await assert.rejects(get('/elsewhere', { allowed_domains }), { code: 'url_not_allowed' })
    await assert.rejects(get('/plain', { allowed_domains: ['test.files'] }), { code: 'url_not_allowed' })
    assert.equal((await get('/plain', { allowed_domains: ['test'] })).status, 200)
  })

  test('size is bounded while reading, declared or not, before and after decompression', async () => {
    for (const path of ['/big', '/endless', '/bomb'])
      await assert.rejects(get(path), { code: 'url_not_usable', message: /more than 1000 bytes/ }, path)
    assert.equal((await get('/gzip')).text, 'packed')
    await assert.rejects(get('/odd'), { code: 'url_not_usable', message: /encoding/ })
  })

  test('time is bounded for the answer and for the body', async () => {
    for (const path of ['/slow', '/stalls'])
      await assert.rejects(
        get(path, { timeout_ms: 200 }),
        { code: 'url_not_usable', message: /longer than 0.2/ },
        path,
      )
  })

  test('an abort of the caller is not mistaken for a fault of the URL', async () => {
    const signal = AbortSignal.timeout(100)
    await assert.rejects(get('/slow', { signal }), { name: 'TimeoutError' })
  })

  test('network faults say what happened without addresses', async () => {
    await assert.rejects(get('/cut'), { code: 'url_not_usable', message: /closed/ })
    await assert.rejects(get('/plain', {}, 'nowhere.test'), { message: /host name does not exist/ })
    const closed = createServer().listen(0, '127.0.0.1')
    await new Promise((done) => closed.once('listening', done))
    const free = (closed.address() as AddressInfo).port
    await new Promise((done) => closed.close(done))
    await assert.rejects(client.request(`http://files.test:${free}/`, LIMITS), {
      message: /refused the connection/,
    })
  })

  test('HEAD gives headers and an empty body, whatever the size', async () => {
    const { status, headers, text } = await get('/big', { method: 'HEAD' })
    assert.deepEqual([status, headers['content-length'], text], [200, '2000', ''])
  })
})
