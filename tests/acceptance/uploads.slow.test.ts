// Uploads against the real program: a large file over cut connections, kills without warning, a browser.
// KURA_TEST_UPLOAD_MB sets the size of the large file (default 200), KURA_TEST_UPLOAD_KILLS the number of kills.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { hashOf, randomCuts, uploadWithCuts } from '../support/tus-upload.ts'
import { type Server, serve, temporaryFolder } from './kura.ts'

const SIZE_BYTES = Number(process.env.KURA_TEST_UPLOAD_MB ?? 200) * 1_000_000
const KILLS = Number(process.env.KURA_TEST_UPLOAD_KILLS ?? 12)
const KEY = 'sk_upload_test_0123456789'
const BROWSER = process.env.KURA_TEST_BROWSER ?? '/usr/bin/chromium'
const ENVIRONMENT = { KURA_ROOT_KEY: KEY, KURA_TEXT_MODEL: 'hash' }

type Upload = {
  upload_id: string
  status: string
  file_hash: string
  object_id?: string
  presigned_url: string
}

async function makeBucket(server: Server): Promise<string> {
  const { bucket_id } = await server.call<{ bucket_id: string }>('POST', '/v1/buckets', {
    bucket_name: 'notes',
    bucket_schema: { properties: { note: { type: 'text' } } },
  })
  return bucket_id
}

async function settled(server: Server, bucket_id: string, upload_id: string): Promise<Upload> {
  for (let i = 0; i < 1200; i++) {
    const upload = await server.call<Upload>(
      'GET',
      `/v1/buckets/${bucket_id}/uploads/${upload_id}?return_presigned_urls=true`,
    )
    if (upload.status !== 'PROCESSING') return upload
    await sleep(100)
  }
  throw new Error('The upload is not confirmed in time.')
}

/** Memory of a process that only it has: pages of files that it reads do not count. */
function memoryMb(pid: number): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

test('a large file arrives whole over a connection that is cut ten times, in flat memory', {
  skip: process.platform === 'linux' ? false : 'memory is read from /proc, which is Linux only',
  timeout: 600_000,
}, async (t) => {
  const folder = await temporaryFolder()
  t.after(() => folder.remove())
  const server = await serve(join(folder.path, 'home'), { env: ENVIRONMENT })
  t.after(() => server.stop())
  const bucket = await makeBucket(server)
  const path = join(folder.path, 'file.txt')
  const line = Buffer.from(`${randomBytes(2048).toString('hex')}\n`)
  await writeFile(path, Buffer.alloc(SIZE_BYTES, line))
  // The first small upload loads what every other one needs.
  await uploadWithCuts({
    url: server.url,
    key: KEY,
    path,
    size_bytes: 1000,
    metadata: { bucket, filename: 'warm.txt', filetype: 'text/plain' },
    cuts: [],
  })
  const { pid } = server.child
  const before_mb = memoryMb(pid!)
  let most_mb = before_mb
  const sampling = setInterval(() => {
    most_mb = Math.max(most_mb, memoryMb(pid!))
  }, 50)
  t.after(() => clearInterval(sampling))
  const upload = await uploadWithCuts({
    url: server.url,
    key: KEY,
    path,
    size_bytes: SIZE_BYTES,
    metadata: { bucket, filename: 'file.txt', filetype: 'text/plain' },
    cuts: randomCuts(SIZE_BYTES, 10),
  })
  assert.ok(upload.cuts_made >= 8, `the connection was cut: ${upload.cuts_made}`)
  const done = await settled(server, bucket, upload.location.split('/').at(-1)!)
  clearInterval(sampling)
  assert.equal(done.status, 'COMPLETED', JSON.stringify(done))
  assert.match(done.object_id!, /^obj_/)
  const expected = createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
  assert.equal(done.file_hash, expected)
  const answer = await fetch(done.presigned_url)
  assert.equal(await hashOf(answer.body as unknown as AsyncIterable<Uint8Array>), expected)
  console.log(
    JSON.stringify({
      size_mb: SIZE_BYTES / 1e6,
      cuts: upload.cuts_made,
      sent_again_mb: upload.bytes_sent_again / 1e6,
      memory_before_mb: Math.round(before_mb),
      memory_most_mb: Math.round(most_mb),
    }),
  )
  assert.ok(most_mb - before_mb < 120, `memory grew from ${before_mb} to ${most_mb} MB`)
})

test('kills in the middle of PUT, PATCH and confirmation lose nothing and leave nothing half', {
  timeout: 600_000,
}, async (t) => {
  const folder = await temporaryFolder()
  t.after(() => folder.remove())
  const home = join(folder.path, 'home')
  const port = await freePort()
  const start = () => serve(home, { args: ['--port', String(port)], env: ENVIRONMENT })
  let server = await start()
  t.after(() => server.stop())
  const bucket = await makeBucket(server)
  let isDone = false
  const confirmed = new Map<string, string>()

  const presigned = async () => {
    while (!isDone) {
      const bytes = Buffer.from(randomBytes(150_000).toString('hex'))
      try {
        const base = `/v1/buckets/${bucket}/uploads`
        const body = { filename: 'note.txt', content_type: 'text/plain', file_size_bytes: bytes.length }
        const { upload_id, presigned_url } = await server.call<Upload>('POST', base, body)
        const put = await fetch(presigned_url, {
          method: 'PUT',
          headers: { 'content-type': 'text/plain' },
          body: bytes,
        })
        assert.equal(put.status, 200, await put.text())
        const { object_id } = await server.call<Upload>('POST', `${base}/${upload_id}/confirm`)
        confirmed.set(upload_id, `${object_id} ${createHash('sha256').update(bytes).digest('hex')}`)
      } catch (error) {
        // Without an answer nothing was promised.
        if (error instanceof assert.AssertionError) throw error
        await sleep(20)
      }
    }
  }
  const resumable = async () => {
    const path = join(folder.path, 'resumable.txt')
    while (!isDone) {
      const bytes = Buffer.from(randomBytes(2_000_000).toString('hex'))
      await writeFile(path, bytes)
      const upload = await uploadWithCuts({
        url: server.url,
        key: KEY,
        path,
        size_bytes: bytes.length,
        metadata: { bucket, filename: 'note.txt', filetype: 'text/plain' },
        cuts: randomCuts(bytes.length, 2),
      }).catch(() => null)
      const object_id = upload?.headers['upload-object-id']
      if (upload && object_id)
        confirmed.set(
          upload.location.split('/').at(-1)!,
          `${object_id} ${createHash('sha256').update(bytes).digest('hex')}`,
        )
    }
  }
  const kill = async () => {
    for (let i = 0; i < KILLS; i++) {
      await sleep(300 + Math.random() * 900)
      const gone = new Promise((resolve) => server.child.once('exit', resolve))
      server.child.kill('SIGKILL')
      await gone
      server = await start()
    }
    isDone = true
  }
  await Promise.all([presigned(), presigned(), resumable(), kill()])

  assert.ok(confirmed.size > 0, `uploads were confirmed between the kills: ${confirmed.size}`)
  const object_ids = new Set<string>()
  for (const [upload_id, promised] of confirmed) {
    const [object_id, hash] = promised.split(' ')
    const upload = await settled(server, bucket, upload_id)
    assert.deepEqual([upload.status, upload.object_id, upload.file_hash], ['COMPLETED', object_id, hash])
    const file = await fetch(upload.presigned_url)
    assert.equal(await hashOf(file.body as unknown as AsyncIterable<Uint8Array>), hash)
    object_ids.add(object_id!)
  }
  // Every object is that of a COMPLETED upload, and every COMPLETED upload has its object.
  const completed = await all<Upload>(server, `/v1/buckets/${bucket}/uploads/list`, {
    filters: { status: 'COMPLETED' },
    limit: 100,
  })
  const objects = await all<{ object_id: string }>(server, `/v1/buckets/${bucket}/objects/list`, {
    limit: 500,
  })
  assert.deepEqual(
    new Set(objects.map(({ object_id }) => object_id)),
    new Set(completed.map(({ object_id }) => object_id)),
  )
  const { object_count } = await server.call<{ object_count: number }>('GET', `/v1/buckets/${bucket}`)
  assert.equal(object_count, objects.length)
  for (const id of object_ids) assert.ok(objects.some(({ object_id }) => object_id === id))
  const left = await readdir(join(home, 'blobs'), { recursive: true, withFileTypes: true })
  console.log(
    JSON.stringify({
      kills: KILLS,
      confirmed: confirmed.size,
      objects: objects.length,
      files: left.filter((one) => one.isFile()).length,
    }),
  )
})

test('a page of another origin uploads with a browser library', {
  skip: existsSync(BROWSER) ? false : `no browser at ${BROWSER}; set KURA_TEST_BROWSER`,
  timeout: 120_000,
}, async (t) => {
  const folder = await temporaryFolder()
  t.after(() => folder.remove())
  const server = await serve(join(folder.path, 'home'), { env: ENVIRONMENT })
  t.after(() => server.stop())
  const bucket = await makeBucket(server)
  const library = await readFile(
    join(import.meta.dirname, '..', '..', 'node_modules', 'tus-js-client', 'dist', 'tus.min.js'),
  )
  const pages = createServer((request, response) => {
    const isLibrary = request.url === '/tus.js'
    response.setHeader('content-type', isLibrary ? 'text/javascript' : 'text/html')
    response.end(isLibrary ? library : '<!doctype html><title>Upload</title><script src="/tus.js"></script>')
  })
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
  t.after(() => pages.close())
  const browser = await chromium.launch({ executablePath: BROWSER, args: ['--no-sandbox', '--disable-gpu'] })
  t.after(() => browser.close())
  const page = await browser.newPage()
  await page.goto(`http://localhost:${(pages.address() as AddressInfo).port}/`)
  const text = 'A line that a browser sends.\n'.repeat(40_000)
  const sent = await page.evaluate(
    ({ endpoint, key, bucket, text }) =>
      new Promise<{ url: string; object_id: string | null }>((resolve, reject) => {
        // biome-ignore lint/suspicious/noExplicitAny: the library is a global of the page.
        const { tus } = globalThis as any
        let object_id: string | null = null
        const upload = new tus.Upload(new Blob([text], { type: 'text/plain' }), {
          endpoint,
          chunkSize: 300_000,
          headers: { authorization: `Bearer ${key}`, 'x-namespace': 'default' },
          metadata: { bucket, filename: 'page.txt', filetype: 'text/plain' },
          onAfterResponse: (_request: unknown, response: { getHeader(name: string): string | null }) => {
            object_id = response.getHeader('Upload-Object-Id') ?? object_id
          },
          onError: reject,
          onSuccess: () => resolve({ url: upload.url, object_id }),
        })
        upload.start()
      }),
    { endpoint: `${server.url}/v1/uploads/tus`, key: KEY, bucket, text },
  )
  const done = await settled(server, bucket, sent.url.split('/').at(-1)!)
  assert.equal(done.object_id, sent.object_id)
  assert.equal(done.file_hash, createHash('sha256').update(text).digest('hex'))

  // The presigned way: a plain PUT from the page.
  const { upload_id, presigned_url } = await server.call<Upload>('POST', `/v1/buckets/${bucket}/uploads`, {
    filename: 'put.txt',
    content_type: 'text/plain',
  })
  const etag = await page.evaluate(async (url) => {
    const body = new Blob(['Put by a page.'], { type: 'text/plain' })
    const answer = await fetch(url, { method: 'PUT', body })
    return answer.headers.get('etag')
  }, presigned_url)
  assert.equal(etag, `"${createHash('md5').update('Put by a page.').digest('hex')}"`)
  const { object_id } = await server.call<Upload>(
    'POST',
    `/v1/buckets/${bucket}/uploads/${upload_id}/confirm`,
    {
      etag,
    },
  )
  assert.match(object_id!, /^obj_/)
})

async function all<T>(server: Server, path: string, body: object): Promise<T[]> {
  const results: T[] = []
  let cursor: string | null = null
  do {
    const page: { results: T[]; pagination: { next_cursor?: string } } = await server.call('POST', path, {
      ...body,
      cursor,
    })
    results.push(...page.results)
    cursor = page.pagination.next_cursor ?? null
  } while (cursor !== null)
  return results
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createTcpServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
