import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { kura, type Server, serve, temporaryFolder } from './kura.ts'

type Row = Record<string, unknown>

describe('groups of commands', { timeout: 600_000 }, () => {
  let folder: { path: string; remove(): Promise<void> }
  let server: Server

  before(async () => {
    folder = await temporaryFolder()
    server = await serve(join(folder.path, 'home'))
    server.env.XDG_CACHE_HOME = join(folder.path, 'cache')
  })
  after(async () => {
    await server.stop()
    await folder.remove()
  })

  const run = (...args: string[]) => kura(args, { env: server.env, cwd: folder.path })
  async function json<T = Row>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await run(...args, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as T
  }
  async function refused(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run(...args)
    assert.equal(code, 1, stdout)
    return stderr
  }

  test('buckets and objects: make, list, find, change, delete', async () => {
    await writeFile(join(folder.path, 'a.txt'), 'hello world')
    const schema = '{"properties":{"title":{"type":"string"},"body":{"type":"text"}}}'
    const bucket = await json(
      'bucket',
      'create',
      'notes',
      '--schema',
      schema,
      '--unique-key',
      'title',
      '--policy',
      'upsert',
    )
    assert.deepEqual(bucket.unique_key, { fields: ['title'], default_policy: 'upsert' })
    const object = await json(
      'object',
      'create',
      'notes',
      '--field',
      'title=one',
      '--field',
      'count=3',
      '--file',
      'body=a.txt',
    )
    assert.equal(object.count, 3)
    const found = await json<{ results: Row[] }>('object', 'list', 'notes', '--where', 'title=one')
    assert.deepEqual(
      found.results.map(({ object_id }) => object_id),
      [object.object_id],
    )
    assert.equal(
      (await json('object', 'update', 'notes', String(object.object_id), '--field', 'count=4')).count,
      4,
    )
    assert.equal(
      (await json('bucket', 'update', 'notes', '--data', '{"description":"mine"}')).description,
      'mine',
    )
    const table = await run('bucket', 'list', '--search', 'not*')
    assert.match(table.stdout, /notes +1 +11 B +ACTIVE/)
    await json('object', 'delete', 'notes', String(object.object_id))
    assert.match(await refused('object', 'get', 'notes', String(object.object_id)), /Object not found/)
    await json('bucket', 'delete', 'notes')
    assert.match((await run('bucket', 'list')).stdout, /Nothing found/)
  })

  test('a table goes in once, row by row; a second run sends what has changed', async () => {
    const rows = (price: string) => `sku,name,price,about
1,Chair,${price},"A wooden chair with a soft green cushion, made for long evenings at the table"
2,Lamp,12,"A lamp that gives a warm light to read by, and can be dimmed with a foot switch"
3,Rug,7,8,9,10
`
    const path = join(folder.path, 'things.csv')
    await writeFile(path, rows('19.5'))
    const ingest = async () => {
      const { code, stdout } = await run(
        'ingest',
        path,
        '--bucket',
        'things',
        '--unique-key',
        'sku',
        '--json',
      )
      assert.equal(code, 2, 'a damaged row shows in the exit code')
      const { found, unchanged, uploaded, processed, failed } = JSON.parse(stdout) as Row
      assert.deepEqual(
        (failed as Row[]).map((one) => one.path),
        ['line 4'],
      )
      return { found, unchanged, uploaded, processed }
    }
    assert.deepEqual(await ingest(), { found: 3, unchanged: 0, uploaded: 2, processed: 2 })
    assert.deepEqual(await ingest(), { found: 3, unchanged: 2, uploaded: 0, processed: 0 })
    await writeFile(path, rows('21'))
    assert.deepEqual(await ingest(), { found: 3, unchanged: 1, uploaded: 1, processed: 1 })
    const { results } = await json<{ results: Row[] }>('search', 'something to sit on', '--bucket', 'things')
    assert.equal(results[0]?.name, 'Chair')
    assert.equal(results[0]?.price, 21)
    assert.equal(results.length, 2, 'a changed row is overwritten, not doubled')
  })

  test('batches and tasks: what happened can be read, in words', async () => {
    const { results } = await json<{ results: { batch_id: string }[] }>('batch', 'list', 'things')
    const batch_id = results[0]!.batch_id
    const health = await json('batch', 'health', 'things', batch_id)
    assert.equal(health.health_status, 'HEALTHY')
    assert.match((await run('batch', 'logs', 'things', batch_id)).stdout, /tier 0: COMPLETED/)
    assert.match((await run('batch', 'failed', 'things', batch_id)).stdout, /Nothing found/)
    const tasks = await json<{ results: { task_id: string }[] }>('task', 'list', '--limit', '1')
    assert.equal((await json('task', 'watch', tasks.results[0]!.task_id)).status, 'COMPLETED')
    assert.match(await refused('batch', 'run', 'things'), /Nothing waits/)
  })

  test('uploads: a file of any size becomes an object, and one that is refused fails alone', async () => {
    await json(
      'bucket',
      'create',
      'media',
      '--schema',
      '{"properties":{"doc":{"type":"text"},"n":{"type":"integer"}}}',
    )
    await writeFile(join(folder.path, 'large.txt'), 'many words\n'.repeat(1_000_000))
    await writeFile(join(folder.path, 'odd.txt'), 'few words')
    const [sent] = await json<Row[]>('upload', 'put', 'media', 'large.txt', '--field', 'n=1')
    const object = await json<{ n: number; blobs: { details: Row }[] }>(
      'object',
      'get',
      'media',
      String(sent!.object_id),
    )
    assert.equal(object.n, 1)
    assert.equal(object.blobs[0]?.details.size_bytes, 11_000_000)
    const { code, stdout } = await run('upload', 'put', 'media', 'absent.txt', 'odd.txt', '--json')
    assert.equal(code, 2)
    const [absent, odd] = JSON.parse(stdout) as Row[]
    assert.match(String(absent!.error), /ENOENT/)
    assert.ok(odd!.object_id)
    assert.match((await run('upload', 'list', 'media')).stdout, /large\.txt +11\.0 MB +COMPLETED/)
  })

  test('keys, secrets and webhooks: secrets are shown once, then never', async () => {
    const key = await json<{ key: string }>('key', 'create', 'reader', '--permission', 'read')
    const reader = await kura(['bucket', 'list', '--json'], { env: { ...server.env, KURA_API_KEY: key.key } })
    assert.equal(reader.code, 0, reader.stderr)
    const denied = await kura(['bucket', 'create', 'x'], { env: { ...server.env, KURA_API_KEY: key.key } })
    assert.match(denied.stderr, /lacks the "write" permission/)
    const listed = await run('key', 'list')
    assert.ok(listed.stdout.includes('reader') && !listed.stdout.includes(key.key))
    assert.match((await run('key', 'revoke', 'reader')).stdout, /Revoked/)
    const hook = await json(
      'webhook',
      'create',
      'hook',
      'https://example.com/hook',
      '--event',
      'object.created',
    )
    const { stdout } = await run('webhook', 'get', String(hook.webhook_id), '--json')
    assert.ok(!stdout.includes(String(hook.secret)))
    assert.match((await run('webhook', 'delete', String(hook.webhook_id))).stdout, /Deleted/)
    assert.match((await run('secret', 'list')).stdout, /^$/)
  })

  test('mistakes are told in one line that says what to do', async () => {
    assert.match(await refused('bucket', 'create', 'x', '--schema', '{'), /--schema is no JSON/)
    assert.match(await refused('bucket', 'create', 'x', '--schema', '@absent.json'), /--schema: ENOENT/)
    assert.match(await refused('object', 'create', 'things', '--file', 'nonsense'), /property=path/)
    assert.match(await refused('bucket', 'update', 'things'), /Say what to change/)
    assert.match(await refused('ingest', 'absent', '--bucket', 'x'), /neither a folder nor a table/)
    assert.match(await refused('bucket', 'list', '--limit', 'many'), /whole number/)
  })
})
