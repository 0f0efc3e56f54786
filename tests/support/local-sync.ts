import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Dialect } from '../../src/platform/db/db.ts'
import { drainQueue } from './drain-queue.ts'
import { type TestApp, testApp } from './test-app.ts'

// biome-ignore lint/suspicious/noExplicitAny: bodies whose shape the schema check has just proven.
type Body = any

export type LocalSync = TestApp & {
  /** The folder that the connection `local` reads. */
  root: string
  bucket_id: string
  /** Writes a file below the root. */
  put(path: string, content: string | Uint8Array): Promise<void>
  /** Creates a sync and runs its first run. */
  sync(body?: object): Promise<Body>
  /** Runs a sync by hand, to its end, and returns the run. */
  run(sync_config_id: string): Promise<Body>
  get(sync_config_id: string, part?: string): Promise<Body>
  objects(): Promise<Body[]>
}

/** A server with a folder, a connection to it and a bucket that takes texts and images. */
export async function localSync(
  t: TestContext,
  dialect: Dialect,
  bucket: object = {
    properties: { content: { type: 'text' }, kind: { type: 'string' }, year: { type: 'string' } },
  },
): Promise<LocalSync> {
  const root = await mkdtemp(join(tmpdir(), 'kura-source-'))
  const server = await testApp(dialect, {
    KURA_LOCAL_SOURCE_ROOTS: root,
    KURA_URL_BLOB_LIMIT_BYTES: '200000',
  })
  t.after(async () => {
    await server.close()
    await rm(root, { recursive: true, force: true })
  })
  const { request, deps } = server
  const connection = { name: 'local', provider_type: 'local', provider_config: { root } }
  assert.equal((await request('POST', '/v1/organizations/connections', { body: connection })).status, 200)
  const made = await request('POST', '/v1/buckets', {
    body: { bucket_name: 'taken-in', bucket_schema: bucket },
  })
  assert.equal(made.status, 200, JSON.stringify(made.body))
  const { bucket_id } = made.body
  const get = async (id: string, part = '') =>
    (await request('GET', `/v1/buckets/${bucket_id}/syncs/${id}${part}`)).body
  return {
    ...server,
    root,
    bucket_id,
    async put(path, content) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), content)
    },
    async sync(body = {}) {
      const sync = { connection_id: 'local', source_path: '/', ...body }
      const answer = await request('POST', `/v1/buckets/${bucket_id}/syncs`, { body: sync })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      await drainQueue(deps)
      return answer.body
    },
    async run(id) {
      const { body, status } = await request('POST', `/v1/buckets/${bucket_id}/syncs/${id}/trigger`)
      assert.equal(status, 200, JSON.stringify(body))
      await drainQueue(deps)
      return get(id, `/runs/${body.sync_job_id}`)
    },
    get,
    async objects() {
      const { body } = await request('POST', `/v1/buckets/${bucket_id}/objects/list?limit=1000`, { body: {} })
      return body.results
    },
  }
}
