// The whole way of files on S3 storage, and moving a home between a folder and S3, against a real S3
// server: knows the program from outside only.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'
import { S3_SERVER_MISSING, type S3Server, startS3Server } from '../support/s3-server.ts'
import { kura, type Server, serve, start, temporaryFolder } from './kura.ts'

type Blob = { properties: { presigned_url: string } }
type Objects = { results: { object_id: string; blobs: Blob[] }[] }
type Copy = {
  copied: number
  copied_bytes: number
  skipped: number
  problems: { storage_key: string; reason: string }[]
}

const PICTURES = 6
const KEY = 'sk_storage_test_0123456789'

describe('files on S3 storage', { skip: S3_SERVER_MISSING, timeout: 600_000 }, () => {
  let s3: S3Server
  let folder: { path: string; remove(): Promise<void> }
  let pictures: string

  before(async () => {
    s3 = await startS3Server()
    await s3.createBucket('kura')
    folder = await temporaryFolder()
    pictures = join(folder.path, 'pictures')
    await mkdir(pictures)
    // Noise does not compress: every picture is larger than what is kept in the database.
    for (let i = 0; i < PICTURES; i++) {
      const noise = {
        create: {
          width: 400,
          height: 300,
          channels: 3 as const,
          noise: { type: 'gaussian' as const, mean: 100 + i * 10, sigma: 60 },
          background: 'white',
        },
      }
      await sharp(noise)
        .png()
        .toFile(join(pictures, `noise-${i}.png`))
    }
  })
  after(async () => {
    await s3.stop()
    await folder.remove()
  })

  let running: Server | undefined
  afterEach(() => running?.stop())
  const served = async (home: string, env: Record<string, string>) => {
    running = await serve(home, { env })
    return running
  }

  const onS3 = (prefix: string) => ({
    KURA_ROOT_KEY: KEY,
    KURA_STORAGE_URL: `s3://kura/${prefix}`,
    ...access(),
  })
  const access = () => ({
    KURA_S3_ENDPOINT: s3.endpoint,
    KURA_S3_ACCESS_KEY_ID: s3.access_key_id,
    KURA_S3_SECRET_ACCESS_KEY: s3.secret_access_key,
  })
  const stored = async (prefix: string) =>
    (
      await readdir(join(s3.folder, 'kura', prefix, 'files'), { recursive: true, withFileTypes: true }).catch(
        () => [],
      )
    )
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  const client = async <T>(server: Server, ...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await kura([...args, '--json'], { env: server.env })
    assert.equal(code, 0, `${stdout}${stderr}`)
    return JSON.parse(stdout) as T
  }
  const objectsOf = (server: Server, bucket: string) =>
    server.call<Objects>('POST', `/v1/buckets/${bucket}/objects/list?return_presigned_urls=true`, {
      limit: 100,
    })

  /** Every blob of the bucket comes back as one of the files on disk. */
  async function assertReadable(server: Server, bucket: string): Promise<Blob[]> {
    const { results } = await objectsOf(server, bucket)
    const blobs = results.flatMap((object) => object.blobs)
    const hashes = new Set(
      await Promise.all(
        (await readdir(pictures)).map(async (name) => sha256(await readFile(join(pictures, name)))),
      ),
    )
    assert.equal(blobs.length, hashes.size)
    for (const { properties } of blobs) {
      const answer = await fetch(properties.presigned_url)
      assert.equal(answer.status, 200)
      assert.ok(hashes.delete(sha256(Buffer.from(await answer.arrayBuffer()))))
    }
    return blobs
  }

  test('pictures are ingested, processed, found, read in parts and deleted', async () => {
    const home = join(folder.path, 'home-s3')
    const server = await served(home, onS3('one'))
    const report = await client<{ processed: number; failed: unknown[] }>(
      server,
      'ingest',
      pictures,
      '--bucket',
      'pics',
    )
    assert.deepEqual(
      { processed: report.processed, failed: report.failed },
      { processed: PICTURES, failed: [] },
    )
    assert.ok((await stored('one')).length >= PICTURES)

    const [blob] = await assertReadable(server, 'pics')
    const part = await fetch(blob!.properties.presigned_url, { headers: { range: 'bytes=0-7' } })
    assert.equal(part.status, 206)
    assert.equal(
      Buffer.from(await part.arrayBuffer())
        .subarray(1, 4)
        .toString(),
      'PNG',
    )

    const found = await client<{ results: unknown[] }>(
      server,
      'search',
      '--image',
      join(pictures, 'noise-0.png'),
      '--bucket',
      'pics',
    )
    assert.ok(found.results.length > 0)

    const { status } = await server.call<{ status: string }>('GET', '/v1/health')
    assert.equal(status, 'OK')
    await s3.pause()
    await sleep(5100) // Health looks at its parts every five seconds.
    const health = await server.call<{ status: string; data: { object_storage: boolean } }>(
      'GET',
      '/v1/health',
    )
    assert.deepEqual([health.status, health.data.object_storage], ['DEGRADED', false])
    const failed = await fetch(blob!.properties.presigned_url)
    assert.equal(failed.status, 503)
    assert.equal(((await failed.json()) as { error: { type: string } }).error.type, 'StorageError')
    await s3.resume()

    // Documents show the files of their objects, so both have to go.
    const collections = await server.call<{ results: { collection_id: string }[] }>(
      'POST',
      '/v1/collections/list',
      {},
    )
    const paths = collections.results.map(({ collection_id }) => `/v1/collections/${collection_id}`)
    for (const path of [...paths, '/v1/buckets/pics']) {
      const headers = { authorization: `Bearer ${server.key}` }
      assert.ok((await fetch(server.url + path, { method: 'DELETE', headers })).ok)
    }
    for (let waited = 0; (await stored('one')).length > 0 && waited < 100; waited++) await sleep(100)
    assert.deepEqual(await stored('one'), [])
  })

  test('a server with wrong storage settings does not start and says what to do', async () => {
    const home = join(folder.path, 'home-wrong')
    const { code, stderr } = await kura(['serve', '--home', home, '--port', '0'], {
      env: { ...onS3('x'), KURA_STORAGE_URL: 's3://no-such-bucket/x' },
    })
    assert.notEqual(code, 0)
    assert.match(stderr, /there is no bucket "no-such-bucket".*KURA_STORAGE_URL/s)
    assert.doesNotMatch(stderr, new RegExp(s3.secret_access_key))
  })

  test('a home moves from a folder to S3 and back, killed in between, and is verified', async () => {
    const home = join(folder.path, 'home-move')
    const env = { KURA_ROOT_KEY: KEY, ...access() }
    let server = await served(home, env)
    await client(server, 'ingest', pictures, '--bucket', 'pics')
    await assertReadable(server, 'pics')
    await server.stop()

    const storage = (...args: string[]) => kura(['storage', ...args, '--home', home], { env })
    const target = 's3://kura/moved'
    const looked = JSON.parse((await storage('copy', '--to', target, '--dry-run', '--json')).stdout) as Copy
    assert.ok(looked.copied >= PICTURES)
    assert.deepEqual(await stored('moved'), [], 'a dry run writes nothing')

    const killed = start(['storage', 'copy', '--to', target, '--home', home, '--concurrency', '1'], env)
    for (let waited = 0; (await stored('moved')).length < 2 && waited < 1000; waited++) await sleep(5)
    killed.child.kill('SIGKILL')
    await sleep(100)
    const first = (await stored('moved')).length
    const again = JSON.parse((await storage('copy', '--to', target, '--json')).stdout) as Copy
    assert.ok(again.skipped >= 2, `what the killed copy had done is kept (${first} files)`)
    assert.equal(again.copied + again.skipped, looked.copied)
    assert.deepEqual(again.problems, [])
    const verified = await storage('verify', '--storage-url', target)
    assert.equal(verified.code, 0, verified.stdout)

    server = await served(home, { ...env, KURA_STORAGE_URL: target })
    await assertReadable(server, 'pics')
    await server.stop()

    const back = join(folder.path, 'blobs-back')
    assert.equal((await storage('copy', '--from', target, '--to', `file:${back}`)).code, 0)
    server = await served(home, { ...env, KURA_STORAGE_URL: `file:${back}` })
    await assertReadable(server, 'pics')
    await server.stop()

    // What is damaged or lost shows, in a copy and in a verification.
    const [one, two] = (await readdir(back, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
    await truncate(one!, 10)
    await rm(two!)
    const broken = await storage('verify', '--storage-url', `file:${back}`, '--json')
    assert.equal(broken.code, 1)
    assert.deepEqual(
      (JSON.parse(broken.stdout) as Copy).problems.map(({ reason }) => reason.split(':')[0]).sort(),
      ['damaged', 'missing'],
    )
    const copied = await storage('copy', '--from', `file:${back}`, '--to', 's3://kura/broken', '--json')
    assert.equal(copied.code, 1)
    assert.equal((JSON.parse(copied.stdout) as Copy).problems.length, 2)
  })

  test('storage commands refuse what makes no sense', async () => {
    const home = join(folder.path, 'home-move')
    for (const [args, reason] of [
      [['copy'], /--to/],
      [['copy', '--to', `file:${home}/blobs`], /same store/],
      [['copy', '--to', 'ftp://x'], /file: or s3:\/\//],
      [['copy', '--to', 's3://kura/x', '--concurrency', '0'], /from 1 to 64/],
    ] as const) {
      const { code, stderr } = await kura(['storage', ...args, '--home', home], { env: access() })
      assert.notEqual(code, 0)
      assert.match(stderr, reason)
    }
  })
})

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
