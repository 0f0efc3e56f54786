import assert from 'node:assert/strict'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError, Client } from '../../src/cli/client.ts'
import { uploadFile } from '../../src/cli/upload-file.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { type TestApp, testApp } from '../support/test-app.ts'

/** From here on an upload is confirmed in the background. */
const LARGE = 100_000_000

let app: TestApp
let folder: string
let client: Client
const cache = process.env.XDG_CACHE_HOME
before(async () => {
  app = await testApp()
  folder = await mkdtemp(join(tmpdir(), 'kura-upload-'))
  process.env.XDG_CACHE_HOME = folder
  client = new Client({ url: await app.app.listen({ port: 0, host: '127.0.0.1' }), key: app.key })
  const body = { bucket_name: 'pictures', bucket_schema: { properties: { hero: { type: 'image' } } } }
  assert.equal((await app.request('POST', '/v1/buckets', { body })).status, 200)
})
after(async () => {
  if (cache === undefined) delete process.env.XDG_CACHE_HOME
  else process.env.XDG_CACHE_HOME = cache
  await app.close()
  await rm(folder, { recursive: true, force: true })
})

test('a large file that is refused in the background ends its upload with the reason', async () => {
  const path = join(folder, 'no-picture.png')
  const file = await open(path, 'w')
  await file.write('%PDF-1.7\n')
  await file.truncate(LARGE)
  await file.close()
  const ended = uploadFile(client, { bucket: 'pictures', path, content_type: 'image/png' }).then(
    () => assert.fail('It was confirmed.'),
    (error: unknown) => error,
  )
  let isOver = false
  void ended.finally(() => {
    isOver = true
  })
  for (let tries = 0; !isOver && tries < 300; tries++) {
    await drainQueue(app.deps)
    await sleep(100)
  }
  assert.ok(isOver, 'The upload waits for ever.')
  const error = await ended
  assert.ok(error instanceof ApiError, String(error))
  assert.equal(error.status, 400)
  assert.match(error.message, /hero/)
})
