import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { collect } from '../../src/lib/streams.ts'
import { findProvider } from '../../src/platform/sources/registry.ts'
import type { SourceFile, SourceItem } from '../../src/platform/sources/source-provider.ts'
import { contextOf } from '../support/source-trees.ts'

async function served(t: TestContext, answer: RequestListener, provider_type = 'http', base = '/pub/') {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { context, close } = contextOf({})
  t.after(async () => {
    server.closeAllConnections()
    server.close()
    await close()
  })
  const source = await findProvider(provider_type)!.open({ base_url: `${url}${base}` }, context)
  const list = async (path = '/', limit = Number.POSITIVE_INFINITY) => {
    const items: SourceItem[] = []
    const options = { signal: AbortSignal.timeout(15_000), page_size: 50, cursor: null }
    for await (const item of source.list(path, options)) if (items.push(item) >= limit) break
    return items
  }
  return { source, list, asked, url }
}

const html = (body: string) => ({ 'content-type': 'text/html', 'content-length': Buffer.byteLength(body) })
const page =
  (body: string): RequestListener =>
  (request, response) => {
    if (request.method === 'HEAD')
      return void response.writeHead(200, { etag: '"1"', 'content-length': 3 }).end()
    response.writeHead(200, html(body)).end(body)
  }
const paths = (items: SourceItem[]) => items.map((item) => (item as SourceFile).path)

test('links to the folder itself, its parent, another order, other hosts and deeper files are no children', async (t) => {
  const { list, asked } = await served(
    t,
    page(`<a href="./">.</a><a href="../">..</a><a href="?C=N;O=D">Name</a><a href="/">root</a><a href="/pub/">self</a>
      <a href="http://169.254.169.254/x.txt">x</a><a href="//example.com/pub/y.txt">y</a><a href="deep/er.txt">z</a>
      <a href="javascript:alert(1)">j</a><a href='%2e%2e/up.txt'>u</a><A class="f" HREF=a.txt>a</A><a href="b&amp;c.txt#top">b</a>`),
  )
  assert.deepEqual(paths(await list()), ['a.txt', 'b&c.txt'])
  assert.deepEqual(asked, ['GET /pub/', 'HEAD /pub/a.txt', 'HEAD /pub/b&c.txt'])
})

test('a folder that always holds one more folder ends', async (t) => {
  const { list } = await served(t, page('<a href="again/">again</a>'))
  const items = await list()
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ['fault'],
  )
})

test('manifests in JSON and in text name files of the same host; a told version needs no further question', async (t) => {
  const { list, asked, source } = await served(t, (request, response) => {
    if (request.method === 'HEAD') return void response.writeHead(200, { etag: 'W/"7"' }).end()
    if (request.url === '/pub/list.json')
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          files: [
            'x%20y.txt',
            { url: 'sub/b.txt', version: 3, size_bytes: 2, team: 'blue' },
            'http://10.0.0.1/c.txt',
          ],
        }),
      )
    else if (request.url === '/pub/list.txt')
      response.writeHead(200, { 'content-type': 'text/plain' }).end('# files\n\n/other/a.txt\n')
    else response.end('hi')
  })
  const [one, two, three] = (await list('list.json')) as [SourceFile, SourceFile, SourceItem]
  assert.deepEqual(
    [one.path, one.version, two.path, two.version, three.kind],
    ['x y.txt', '7', 'sub/b.txt', '3', 'fault'],
  )
  assert.equal(two.properties!.team, 'blue')
  assert.ok(!asked.includes('HEAD /pub/sub/b.txt'))
  const content = await source.read!(two, {
    signal: AbortSignal.timeout(5000),
    limit_bytes: 10,
    with_tags: false,
  })
  assert.deepEqual([Buffer.from(await collect(content.body)).toString(), content.version], ['hi', null])
  assert.deepEqual(paths(await list('list.txt')), ['other/a.txt'])
})

const HOSTILE: [string, RequestListener][] = [
  [
    'a page of gigabytes',
    (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      const write = () => {
        while (response.write(Buffer.alloc(65_536, '<a <a ')));
      }
      response.on('drain', write)
      write()
    },
  ],
  ['an address inside', (_, response) => response.writeHead(302, { location: 'http://192.168.0.1/' }).end()],
  ['redirects in a circle', (request, response) => response.writeHead(302, { location: request.url! }).end()],
  ['a picture', (_, response) => response.writeHead(200, { 'content-type': 'image/png' }).end('x')],
  ['broken JSON', (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{')],
  ['a broken connection', (request) => request.socket.destroy()],
]

for (const provider_type of ['http', 'webdav'])
  for (const [what, answer] of HOSTILE)
    test(`${provider_type}: a server that answers with ${what} fails`, { timeout: 20_000 }, async (t) => {
      const { list } = await served(t, answer, provider_type)
      await assert.rejects(list(), (error: { code: string }) =>
        ['connection_failed', 'url_not_allowed'].includes(error.code),
      )
    })

test('webdav: a billion laughs is refused before it is read', async (t) => {
  const { list } = await served(
    t,
    (_, response) =>
      response
        .writeHead(207, { 'content-type': 'application/xml' })
        .end('<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>'),
    'webdav',
  )
  await assert.rejects(list(), /document type/)
})

test('a hostile page costs time in proportion to its size', async (t) => {
  const { list } = await served(t, page(`${'<a '.repeat(2_000_000)}<a href="a.txt">`))
  const started_ms = performance.now()
  await list()
  assert.ok(performance.now() - started_ms < 5000)
})
