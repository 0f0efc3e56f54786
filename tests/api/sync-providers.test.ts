import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { drainQueue } from '../support/drain-queue.ts'
import { TREE_SOURCES } from '../support/source-trees.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

const CONNECTIONS = '/v1/organizations/connections'
const POSTGRES_URL = process.env.KURA_TEST_POSTGRES_URL

type Source = {
  provider_type: string
  provider_config: object
  source_path: string
  settings?: Record<string, string | undefined>
}

/** A connection that is created and tested, a sync of it, and its first two runs. */
async function twoRuns(t: TestContext, source: Source, between: () => Promise<void> = async () => undefined) {
  const { provider_type, provider_config, source_path, settings = {} } = source
  const environment = Object.entries(settings).map(([name, value]) => [`KURA_${name.toUpperCase()}`, value])
  const server = await testApp(DIALECTS[0], {
    KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
    ...Object.fromEntries(environment),
  })
  t.after(() => server.close())
  const { request, deps } = server
  const made = await request('POST', CONNECTIONS, {
    body: { name: 'source', provider_type, provider_config },
  })
  assert.equal(made.status, 200, JSON.stringify(made.body))
  assert.equal((await request('POST', `${CONNECTIONS}/source/test`)).body.success, true)
  const properties = { content: { type: 'text' }, title: { type: 'string' }, number: { type: 'integer' } }
  const bucket = await request('POST', '/v1/buckets', {
    body: { bucket_name: 'taken-in', bucket_schema: { properties } },
  })
  const path = `/v1/buckets/${bucket.body.bucket_id}/syncs`
  const mapping = (type: object) => ({ source: type })
  const mappings = {
    content: { target_type: 'blob', source: { type: 'file' } },
    title: mapping({ type: 'rss_field', field: 'title' }),
    number: mapping({ type: 'column', name: 'number' }),
  }
  const sync = await request('POST', path, {
    body: { connection_id: 'source', source_path, schema_mapping: { mappings } },
  })
  assert.equal(sync.status, 200, JSON.stringify(sync.body))
  await drainQueue(deps)
  await between()
  const { body } = await request('POST', `${path}/${sync.body.sync_config_id}/trigger`)
  await drainQueue(deps)
  const { results } = (await request('GET', `${path}/${sync.body.sync_config_id}/runs`)).body
  const parked = (await request('GET', `${path}/${sync.body.sync_config_id}/files?state=failed`)).body.results
  assert.deepEqual(parked, [])
  const objects = await request('POST', `/v1/buckets/${bucket.body.bucket_id}/objects/list`, { body: {} })
  const second = results.find((run: { sync_job_id: string }) => run.sync_job_id === body.sync_job_id)
  const first = results.find((run: { sync_job_id: string }) => run.sync_job_id !== body.sync_job_id)
  return { first, second, objects: objects.body.results }
}

for (const { provider_type, skip, start } of TREE_SOURCES)
  test(`${provider_type}: a sync takes every file once, and its second run fetches nothing`, {
    skip,
  }, async (t) => {
    const tree = await start()
    t.after(() => tree.close())
    await tree.put('a.txt', 'alpha')
    await tree.put('sub folder/b.txt', 'beta')
    const { config, source_path, settings } = tree
    const { first, second, objects } = await twoRuns(t, {
      provider_type,
      provider_config: config,
      source_path,
      settings,
    })
    assert.deepEqual(
      [first.status, first.counts.created, first.counts.failed],
      ['COMPLETED', 2, 0],
      JSON.stringify(first),
    )
    assert.deepEqual([second.counts.unchanged, second.counts.created, second.counts.updated], [2, 0, 0])
    assert.equal(second.counts.bytes, 0)
    assert.equal(objects.length, 2)
  })

test('rss: enclosures and entries become objects once', async (t) => {
  let fetched = 0
  const server = createServer((request, response) => {
    if (request.url === '/a.txt') {
      fetched++
      return void response.writeHead(200, { 'content-type': 'text/plain' }).end('spoken words')
    }
    response.end(`<rss><channel><item><guid>1</guid><title>With</title><enclosure url="/a.txt" type="text/plain"/></item>
      <item><guid>2</guid><title>Without</title></item></channel></rss>`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close().closeAllConnections())
  const source_path = `http://127.0.0.1:${(server.address() as AddressInfo).port}/feed`
  const { second, objects } = await twoRuns(t, { provider_type: 'rss', provider_config: {}, source_path })
  assert.deepEqual([second.counts.unchanged, fetched], [2, 1])
  assert.deepEqual(objects.map(({ title }: { title: string }) => title).sort(), ['With', 'Without'])
})

test('postgresql: rows become objects once; a changed row changes its object', {
  skip: POSTGRES_URL ? false : 'needs a PostgreSQL server in KURA_TEST_POSTGRES_URL',
}, async (t) => {
  const url = new URL(POSTGRES_URL!)
  const admin = new pg.Client(POSTGRES_URL)
  await admin.connect()
  const table = `kura_rows_${process.pid}`
  await admin.query(`create table ${table} (number int primary key, title text)`)
  await admin.query(`insert into ${table} values (1, 'one'), (2, 'two')`)
  t.after(async () => {
    await admin.query(`drop table ${table}`)
    await admin.end()
  })
  const provider_config = {
    credentials: { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) },
    host: url.hostname,
    port: Number(url.port || 5432),
    database: url.pathname.slice(1),
    primary_key_columns: ['number'],
  }
  const source = { provider_type: 'postgresql', provider_config, source_path: `public.${table}` }
  const { first, second, objects } = await twoRuns(t, source, async () => {
    await admin.query(`update ${table} set title = 'changed' where number = 2`)
  })
  assert.equal(first.counts.created, 2, JSON.stringify(first))
  assert.deepEqual([second.counts.unchanged, second.counts.updated, second.counts.created], [1, 1, 0])
  assert.deepEqual(objects.map(({ number }: { number: number }) => number).sort(), [1, 2])
})

test('postgresql: a row that failed is tried again although the listing has gone on behind it', {
  skip: POSTGRES_URL ? false : 'needs a PostgreSQL server in KURA_TEST_POSTGRES_URL',
}, async (t) => {
  const url = new URL(POSTGRES_URL!)
  const admin = new pg.Client(POSTGRES_URL)
  await admin.connect()
  const table = `kura_failing_rows_${process.pid}`
  await admin.query(`create table ${table} (number int primary key, title text)`)
  await admin.query(`insert into ${table} values (1, 'one'), (2, null), (3, 'three')`)
  t.after(async () => {
    await admin.query(`drop table ${table}`)
    await admin.end()
  })
  const server = await testApp(DIALECTS[0], { KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' })
  t.after(() => server.close())
  const { request, deps } = server
  const provider_config = {
    credentials: { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) },
    host: url.hostname,
    port: Number(url.port || 5432),
    database: url.pathname.slice(1),
    primary_key_columns: ['number'],
    incremental_column: 'number',
  }
  const body = { name: 'source', provider_type: 'postgresql', provider_config }
  assert.equal((await request('POST', CONNECTIONS, { body })).status, 200)
  const bucket_schema = { properties: { title: { type: 'string' } } }
  const bucket = await request('POST', '/v1/buckets', { body: { bucket_name: 'rows', bucket_schema } })
  const mapping = (required: boolean) => ({
    mappings: { title: { source: { type: 'column', name: 'title' }, required } },
  })
  const made = await request('POST', `/v1/buckets/${bucket.body.bucket_id}/syncs`, {
    body: { connection_id: 'source', source_path: `public.${table}`, schema_mapping: mapping(true) },
  })
  const path = `/v1/buckets/${bucket.body.bucket_id}/syncs/${made.body.sync_config_id}`
  await drainQueue(deps)
  const run = async () => {
    const { sync_job_id } = (await request('POST', `${path}/trigger`)).body
    await drainQueue(deps)
    return (await request('GET', `${path}/runs/${sync_job_id}`)).body.counts
  }
  assert.equal((await request('GET', path)).body.resume_cursor, undefined)
  assert.equal((await run()).failed, 1)
  await request('PATCH', path, { body: { schema_mapping: mapping(false) } })
  const { created, unchanged } = await run()
  assert.deepEqual([created, unchanged], [1, 2])
  assert.equal((await request('GET', path)).body.resume_cursor, '3')
})
