import assert from 'node:assert/strict'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import sharp from 'sharp'
import { kura, type Server, serve, start, takenPort, temporaryFolder } from './kura.ts'

type Report = {
  found: number
  unchanged: number
  uploaded: number
  processed: number
  failed: { path: string; reason: string }[]
  skipped: { path: string; reason: string }[]
}
type Hit = { path: string; score: number; document_id: string }

describe('kura on the command line', { timeout: 600_000 }, () => {
  let folder: { path: string; remove(): Promise<void> }
  let files: string
  let server: Server
  /** A client command against the running server; its JSON answer. */
  const client = async <T>(...args: string[]): Promise<{ code: number | null; answer: T }> => {
    const { code, stdout, stderr } = await kura([...args, '--json'], { env: server.env })
    assert.notEqual(stdout, '', stderr)
    return { code, answer: JSON.parse(stdout) as T }
  }
  const ingest = () => client<Report>('ingest', files, '--bucket', 'docs')

  before(async () => {
    folder = await temporaryFolder()
    files = join(folder.path, 'files')
    await writeFiles(files)
    server = await serve(join(folder.path, 'home'))
  })
  after(async () => {
    await server.stop()
    await folder.remove()
  })

  test('serve keeps the key it prints in a file that only its owner reads', async () => {
    const file = await stat(join(server.home, 'root-key'))
    assert.equal(file.mode & 0o777, 0o600)
    assert.equal(
      await server.call<{ status: string }>('GET', '/v1/health').then(({ status }) => status),
      'OK',
    )
  })

  test('ingest uploads and processes a folder, names what failed and what it left out', async () => {
    const { code, answer } = await ingest()
    assert.equal(code, 2, 'files that failed show in the exit code')
    const { found, unchanged, uploaded, processed, failed, skipped } = answer
    assert.deepEqual(
      { found, unchanged, uploaded, processed },
      { found: 5, unchanged: 0, uploaded: 5, processed: 4 },
    )
    assert.deepEqual(
      failed.map(({ path }) => path),
      ['pictures/damaged.jpg'],
    )
    assert.match(failed[0]!.reason, /damaged/)
    assert.deepEqual(skipped.map(({ path }) => path).sort(), ['empty.txt', 'unknown.xyz'])
  })

  test('a second run uploads nothing and makes no doubles', async () => {
    const before = await documentCounts(server)
    const { code, answer } = await ingest()
    assert.equal(code, 0)
    const { found, unchanged, uploaded, processed } = answer
    assert.deepEqual(
      { found, unchanged, uploaded, processed },
      { found: 5, unchanged: 5, uploaded: 0, processed: 0 },
    )
    assert.deepEqual(await documentCounts(server), before)
    assert.deepEqual(before, { 'docs-images': 1, 'docs-pdfs': 0, 'docs-texts': 3 })
  })

  test('a changed file replaces its documents', async () => {
    const before = await documentCounts(server)
    await writeFile(join(files, 'garden.txt'), 'Roses are cut back in March, above an outward bud.')
    const { answer } = await ingest()
    assert.equal(answer.uploaded, 1)
    assert.equal(answer.processed, 1)
    assert.deepEqual(await documentCounts(server), before)
    const { answer: found } = await client<{ results: Hit[] }>(
      'search',
      'pruning shrubs in spring',
      '--bucket',
      'docs',
    )
    assert.equal(found.results[0]?.path, 'garden.txt')
  })

  test('search finds by meaning, by word and by picture', async () => {
    const best = async (...args: string[]) =>
      (await client<{ results: Hit[] }>('search', ...args, '--bucket', 'docs')).answer.results[0]?.path
    assert.equal(await best('a journey by rail after dark'), 'travel/night-train.md')
    assert.equal(await best('zyzzogeton'), 'insects.txt')
    assert.equal(await best('--image', join(files, 'pictures', 'red.png')), 'pictures/red.png')
  })

  test('search prints a table for a person', async () => {
    const { code, stdout } = await kura(['search', 'night train', '--bucket', 'docs', '--limit', '1'], {
      env: server.env,
    })
    assert.equal(code, 0)
    assert.match(stdout, /score +file +excerpt/)
    assert.match(stdout, /1 +0\.\d{3} +travel\/night-train\.md/)
    assert.match(stdout, /1 results? in \d+ ms/)
  })

  for (const [title, args, env, message] of [
    ['a wrong key', ['search', 'x'], { KURA_API_KEY: 'sk_wrong_key_0123456789' }, /Send a valid API key/],
    [
      'no server',
      ['search', 'x', '--url', 'http://127.0.0.1:9'],
      {},
      /No Kura server answers at http:\/\/127\.0\.0\.1:9/,
    ],
    ['no folder', ['ingest', '/no/such/folder', '--bucket', 'docs'], {}, /neither a folder nor a table/],
    ['nothing to search for', ['search'], {}, /Say what to look for/],
    ['an unknown command', ['frobnicate'], {}, /unknown command 'frobnicate'/],
    [
      'a setting that is no number',
      ['serve', '--port', 'abc'],
      {},
      /KURA_PORT: Input should be a valid integer/,
    ],
    [
      'an open host without a key',
      ['serve', '--host', '0.0.0.0'],
      {},
      /Set KURA_ROOT_KEY before listening on 0\.0\.0\.0/,
    ],
  ] as const) {
    test(`${title}: says so in a sentence, without a stack, and exits 1`, async () => {
      const { code, stderr } = await kura(args, {
        env: { ...server.env, KURA_HOME: join(folder.path, 'unused'), ...env },
      })
      assert.equal(code, 1)
      assert.match(stderr, message)
      assert.doesNotMatch(stderr, /\n\s+at /)
    })
  }

  test('a port in use: serve names it, without a stack, and exits 1', async () => {
    const { port, free } = await takenPort()
    try {
      const { code, stderr } = await kura([
        'serve',
        '--port',
        String(port),
        '--home',
        join(folder.path, 'other'),
      ])
      assert.equal(code, 1)
      assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use`))
      assert.doesNotMatch(stderr, /\n\s+at /)
    } finally {
      await free()
    }
  })

  test('doctor finds everything equal while the server runs', async () => {
    const { code, stdout } = await kura(['doctor', '--json', '--home', server.home])
    assert.equal(code, 0, stdout)
    const { healthy, findings } = JSON.parse(stdout) as {
      healthy: boolean
      findings: { check: string; examined: number; problems: number }[]
    }
    assert.equal(healthy, true)
    assert.ok(findings.length > 3)
  })

  test('migrate brings a new database to this version, once', async () => {
    const home = join(folder.path, 'migrated')
    const migrate = async () => JSON.parse((await kura(['migrate', '--json', '--home', home])).stdout)
    const { applied, version } = await migrate()
    assert.ok(applied.length > 0)
    assert.deepEqual(await migrate(), { applied: [], version })
  })

  test('a worker of its own processes what a server without engine accepts', async () => {
    const home = join(folder.path, 'split')
    const api = await serve(home, { args: ['--no-engine'] })
    const worker = start(['worker', '--home', home, '--log-level', 'error'])
    try {
      const { stdout, stderr } = await kura(['ingest', files, '--bucket', 'docs', '--json'], { env: api.env })
      assert.equal((JSON.parse(stdout) as Report).processed, 4, stderr)
      assert.equal(await worker.stop(), 0)
      assert.equal(worker.output.stderr, '')
    } finally {
      await worker.stop()
      await api.stop()
    }
  })

  test('SIGTERM ends the server cleanly, and the next start serves the same data', async () => {
    const home = join(folder.path, 'restarted')
    const first = await serve(home)
    await first.call('POST', '/v1/buckets', { bucket_name: 'kept', bucket_schema: { properties: {} } })
    assert.equal(await first.stop(), 0)
    assert.equal(first.output.stderr, '')
    await assert.rejects(fetch(`${first.url}/v1/health`))
    const second = await serve(home, { env: { KURA_ROOT_KEY: first.key } })
    try {
      const { results } = await second.call<{ results: { bucket_name: string }[] }>(
        'POST',
        '/v1/buckets/list',
      )
      assert.deepEqual(
        results.map(({ bucket_name }) => bucket_name),
        ['kept'],
      )
    } finally {
      assert.equal(await second.stop(), 0)
    }
  })
})

async function writeFiles(root: string): Promise<void> {
  await mkdir(join(root, 'travel'), { recursive: true })
  await mkdir(join(root, 'pictures'))
  await writeFile(join(root, 'garden.txt'), 'Tomatoes want sun, warmth and a deep pot.')
  await writeFile(join(root, 'insects.txt'), 'The zyzzogeton is a leafhopper of South America.')
  await writeFile(
    join(root, 'travel', 'night-train.md'),
    'By night train to the sea: sleep in a bunk while the mountains pass.',
  )
  await writeFile(join(root, 'empty.txt'), '')
  await writeFile(join(root, 'unknown.xyz'), 'x')
  const picture = sharp({ create: { width: 320, height: 240, channels: 3, background: '#c03020' } })
  await picture
    .clone()
    .png()
    .toFile(join(root, 'pictures', 'red.png'))
  const jpeg = await picture.jpeg().toBuffer()
  await writeFile(join(root, 'pictures', 'damaged.jpg'), jpeg.subarray(0, jpeg.length / 3))
}

async function documentCounts(server: Server): Promise<Record<string, number>> {
  const { results } = await server.call<{ results: { collection_name: string; document_count: number }[] }>(
    'POST',
    '/v1/collections/list',
    { limit: 100 },
  )
  return Object.fromEntries(
    results
      .map(({ collection_name, document_count }) => [collection_name, document_count] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}
