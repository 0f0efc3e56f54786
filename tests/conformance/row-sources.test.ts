import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { collect } from '../../src/lib/streams.ts'
import { findProvider } from '../../src/platform/sources/registry.ts'
import type {
  OpenSource,
  SourceConfig,
  SourceFile,
  SourceItem,
  SourceRow,
} from '../../src/platform/sources/source-provider.ts'
import { contextOf } from '../support/source-trees.ts'

const POSTGRES_URL = process.env.KURA_TEST_POSTGRES_URL
const POSTGRES_MISSING = POSTGRES_URL ? false : 'needs a PostgreSQL server in KURA_TEST_POSTGRES_URL'

async function listed(source: OpenSource, path: string, cursor: string | null = null): Promise<SourceItem[]> {
  const items: SourceItem[] = []
  const options = { signal: AbortSignal.timeout(20_000), page_size: 50, cursor }
  for await (const item of source.list(path, options)) items.push(item)
  return items
}

async function opened(
  t: TestContext,
  provider_type: string,
  config: SourceConfig,
  settings = {},
): Promise<OpenSource> {
  const { context, close } = contextOf({ settings })
  const source = await findProvider(provider_type)!.open(config, context)
  t.after(async () => {
    await source.close()
    await close()
  })
  return source
}

async function table(t: TestContext) {
  const url = new URL(POSTGRES_URL!)
  const admin = new pg.Client(POSTGRES_URL)
  await admin.connect()
  const schema = `kura "src" ${process.pid}_${Math.floor(Math.random() * 1e6)}`
  const place = `${admin.escapeIdentifier(schema)}."odd Table"`
  await admin.query(`create schema ${admin.escapeIdentifier(schema)}`)
  await admin.query(
    `create table ${place} (id int, "the name" text, big int8, exact numeric, at timestamptz, day date, data jsonb, raw bytea, tags text[], ok bool)`,
  )
  t.after(async () => {
    await admin.query(`drop schema ${admin.escapeIdentifier(schema)} cascade`)
    await admin.end()
  })
  const config = {
    credentials: {
      username: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password) || 'none',
    },
    host: url.hostname,
    port: Number(url.port || 5432),
    database: url.pathname.slice(1),
    schema: 'public',
    ssl_mode: 'prefer',
    query_timeout_seconds: 5,
    fetch_size: 100,
  }
  const path = `"${schema.replace(/"/g, '""')}"."odd Table"`
  return { query: (sql: string) => admin.query(sql.replaceAll('TABLE', place)), config, path }
}

const rows = (items: SourceItem[]) => items as SourceRow[]

test('rows come as JSON, by their keys, and change their version with their values', {
  skip: POSTGRES_MISSING,
}, async (t) => {
  const { query, config, path } = await table(t)
  await query(
    `insert into TABLE values (1, 'it''s "odd"', 9007199254740993, 1.50, '2026-01-02 03:04:05.123456+02', '2026-01-02', '{"a":[1]}', '\\x00ff', '{x,"y z"}', true)`,
  )
  const source = await opened(t, 'postgresql', { ...config, primary_key_columns: ['id'] })
  await source.test(AbortSignal.timeout(5000))
  assert.equal(source.cursor, undefined, 'a whole listing lets vanished rows be told')
  const [row] = rows(await listed(source, path))
  assert.deepEqual(row!.values, {
    id: 1,
    'the name': 'it\'s "odd"',
    big: '9007199254740993',
    exact: 1.5,
    at: '2026-01-02T01:04:05.123456Z',
    day: '2026-01-02',
    data: { a: [1] },
    raw: 'AP8=',
    tags: ['x', 'y z'],
    ok: true,
  })
  await query(`update TABLE set ok = false`)
  const [changed] = rows(await listed(source, path))
  assert.equal(changed!.source_id, row!.source_id)
  assert.notEqual(changed!.version, row!.version)
})

test('many rows are fetched in parts, and an incremental column lists only what is new', {
  skip: POSTGRES_MISSING,
}, async (t) => {
  const { query, config, path } = await table(t)
  await query(
    `insert into TABLE (id, at) select i, timestamptz '2026-01-01' + i * interval '1 second' from generate_series(1, 1234) i`,
  )
  const source = await opened(t, 'postgresql', {
    ...config,
    primary_key_columns: ['id'],
    incremental_column: 'at',
  })
  const first = rows(await listed(source, path))
  assert.equal(new Set(first.map(({ source_id }) => source_id)).size, 1234)
  assert.ok(!first.some(({ values }) => '__kura_position' in values))
  const cursor = source.cursor!()
  await query(`insert into TABLE (id, at) values (5000, '2026-02-01'), (5001, null)`)
  const second = rows(await listed(source, path, cursor))
  assert.deepEqual(
    second.map(({ values }) => values.id).sort(),
    [1234, 5000, 5001],
    'the row at the cursor comes again',
  )
})

test('without key columns a row is what it holds', { skip: POSTGRES_MISSING }, async (t) => {
  const { query, config, path } = await table(t)
  await query(`insert into TABLE (id) values (1), (2)`)
  const source = await opened(t, 'postgresql', config)
  const before = rows(await listed(source, path))
  await query(`update TABLE set id = 3 where id = 2`)
  const after = rows(await listed(source, path))
  assert.equal(before.filter((one) => after.some(({ source_id }) => source_id === one.source_id)).length, 1)
})

test('what is wrong with a database is told in words of our own', {
  skip: POSTGRES_MISSING,
}, async (t) => {
  const { config } = await table(t)
  const failing = async (over: object, path = 'public.none') => {
    const source = await opened(t, 'postgresql', { ...config, ...over })
    return listed(source, path).then(
      () => assert.fail('the listing passed'),
      (error) => error,
    )
  }
  assert.match((await failing({})).message, /table does not exist/)
  assert.match((await failing({ database: 'no such' }, 'x')).message, /database does not exist/)
  assert.match((await failing({ port: 1 })).message, /refused the connection/)
  assert.match((await failing({ ssl_mode: 'verify-full' })).message, /TLS|certificate/)
  const wrong = await failing({ credentials: { username: 'no such', password: 'hidden-secret' } })
  assert.equal(wrong.code, 'connection_failed')
  assert.ok(!JSON.stringify(wrong.details).includes('hidden-secret'))
  const provider = findProvider('postgresql')!
  for (const path of ['a;drop table x', 'a.b.c.d', '', 'other.public.t', "a'b", '"open'])
    if (path !== 'a;drop table x' && path !== "a'b") assert.ok(provider.checkPath(path, config), path)
  assert.match((await failing({}, 'a;drop table x')).message, /table does not exist/)
})

test('a private database that the operator has not allowed is refused', {
  skip: POSTGRES_MISSING,
}, async (t) => {
  const { config } = await table(t)
  const source = await opened(t, 'postgresql', config, { allowed_private_hosts: '' })
  await assert.rejects(source.test(AbortSignal.timeout(5000)), { code: 'url_not_allowed' })
})

test('a query that takes too long is ended', { skip: POSTGRES_MISSING }, async (t) => {
  const { query, config, path } = await table(t)
  await query(`insert into TABLE (id) values (1)`)
  const view = path.replace('odd Table', 'slow')
  await query(`create view ${view} as select 1 as id, pg_sleep(30)::text as x`)
  const source = await opened(t, 'postgresql', { ...config, query_timeout_seconds: 1 })
  await assert.rejects(listed(source, view), /query_timeout_seconds/)
  const aborted = await opened(t, 'postgresql', config)
  const options = { signal: AbortSignal.timeout(300), page_size: 1, cursor: null }
  await assert.rejects(
    async () => {
      for await (const _ of aborted.list(view, options));
    },
    { name: 'TimeoutError' },
  )
})

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const FEED = { user_agent: 'reader', request_timeout: 5, enclosures_as_files: true }

test('entries of RSS are rows, those with an enclosure files, and credentials stay on the host of the feed', async (t) => {
  const seen: { url: string; token: unknown }[] = []
  const elsewhere = await serve(t, (request, response) => {
    seen.push({ url: request.url!, token: request.headers['x-token'] })
    response.end('other bytes')
  })
  const feed = await serve(t, (request, response) => {
    seen.push({ url: request.url!, token: request.headers['x-token'] })
    if (request.url !== '/feed') return void response.end('bytes')
    response.writeHead(200, { 'content-type': 'application/rss+xml' }).end(`<?xml version="1.0"?>
      <rss version="2.0" xmlns:itunes="x"><channel><title>Show</title>
      <item><guid isPermaLink="false">1</guid><title>One &amp; only</title><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate>
        <category>a</category><category>b</category><itunes:duration>12:00</itunes:duration>
        <enclosure url="/one.mp3?x=1" type="audio/mpeg" length="0"/></item>
      <item><guid>2</guid><title><![CDATA[Two <b>]]></title><enclosure url="${elsewhere}/two.mp3" type="audio/mpeg"/></item>
      <item><link>https://example.com/3</link><title>Three</title></item></channel></rss>`)
  })
  const config = { ...FEED, credentials: { type: 'http_headers', headers: { 'X-Token': 'secret' } } }
  const source = await opened(t, 'rss', config)
  const items = await listed(source, `${feed}/feed`)
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ['file', 'file', 'row'],
  )
  const [one, two] = items as [SourceFile, SourceFile]
  assert.equal(one.name, 'one.mp3')
  assert.equal(one.modified_at, '2026-01-02T03:04:05.000000Z')
  assert.deepEqual(
    [
      one.properties!.title,
      one.properties!.categories,
      one.properties!['itunes:duration'],
      two.properties!.title,
    ],
    ['One & only', ['a', 'b'], '12:00', 'Two <b>'],
  )
  const limits = { signal: AbortSignal.timeout(5000), limit_bytes: 1000, with_tags: false }
  for (const file of [one, two]) await collect((await source.read!(file, limits)).body)
  assert.deepEqual(seen, [
    { url: '/feed', token: 'secret' },
    { url: '/one.mp3?x=1', token: 'secret' },
    { url: '/two.mp3', token: undefined },
  ])
  const plain = await opened(t, 'rss', { ...config, enclosures_as_files: false })
  assert.ok((await listed(plain, `${feed}/feed`)).every(({ kind }) => kind === 'row'))
})

test('entries of Atom have the same fields, and Latin-1 is read as what it is', async (t) => {
  const feed = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'application/atom+xml' })
    response.end(
      Buffer.from(
        `<?xml version="1.0" encoding="ISO-8859-1"?><feed xmlns="http://www.w3.org/2005/Atom">
      <entry><id>urn:1</id><title type="html">Größe</title><link href="https://example.com/1"/><updated>2026-01-02T03:04:05Z</updated>
      <author><name>Ann</name></author><summary>short</summary><category term="x"/></entry></feed>`,
        'latin1',
      ),
    )
  })
  const source = await opened(t, 'rss', FEED)
  const [row] = rows(await listed(source, feed))
  const { title, link, author, description, categories, published_at } = row!.values
  assert.deepEqual(
    { title, link, author, description, categories, published_at },
    {
      title: 'Größe',
      link: 'https://example.com/1',
      author: 'Ann',
      description: 'short',
      categories: ['x'],
      published_at: '2026-01-02T03:04:05.000000Z',
    },
  )
})

const LAUGHS = `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">${'bcdefghij'
  .split('')
  .map((name, i) => `<!ENTITY ${name} "${`&${'abcdefghi'[i]};`.repeat(10)}">`)
  .join('')}]><rss><channel><item><title>&j;</title></item></channel></rss>`

const HOSTILE: [string, RequestListener][] = [
  ['a billion laughs', (_, response) => response.end(LAUGHS)],
  ['tags nested without end', (_, response) => response.end(`<rss><channel>${'<a>'.repeat(200_000)}`)],
  ['no XML', (_, response) => response.end('<html><body>hello')],
  [
    'a page without end',
    (_, response) => {
      const write = () => {
        while (response.write(Buffer.alloc(65_536, 'x')));
      }
      response.on('drain', write)
      write()
    },
  ],
  [
    'a length that lies',
    (_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('<rss>')
      response.socket!.end()
    },
  ],
  [
    'an address inside',
    (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
  ],
]

for (const [what, answer] of HOSTILE)
  test(`a feed that answers with ${what} fails, within bounds`, { timeout: 20_000 }, async (t) => {
    const source = await opened(t, 'rss', FEED)
    const feed = await serve(t, answer)
    const started_ms = performance.now()
    await assert.rejects(listed(source, feed), (error: { code: string }) =>
      ['connection_failed', 'url_not_allowed'].includes(error.code),
    )
    assert.ok(performance.now() - started_ms < 10_000)
  })
