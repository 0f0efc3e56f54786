import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { mapConcurrently } from '../../src/lib/concurrency.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type S3Server, startS3Server } from './s3-server.ts'

export const SOURCE_BUCKET = 'source'
const PUTS_AT_ONCE = 16
const POLL_MS = 50

/** How a client calls the server under test. */
export type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>

export type Run = {
  status: string
  counts: Record<string, number>
  started_at: string
  ended_at?: string
}

/** A real S3 store with files, seen through a proxy that counts what is asked of it. */
export type SourceStore = {
  server: S3Server
  proxy: FaultProxy
  put(key: string, content: string): Promise<void>
  remove(key: string): Promise<void>
  /** Keys of the files that were read since the last call, in order, a key as often as it was read. */
  takeReads(): string[]
  close(): Promise<void>
}

export async function startSourceStore(): Promise<SourceStore> {
  const server = await startS3Server()
  const proxy = await startFaultProxy(server.endpoint)
  await server.createBucket(SOURCE_BUCKET)
  let taken = 0
  return {
    server,
    proxy,
    async put(Key, Body) {
      await server.client.send(new PutObjectCommand({ Bucket: SOURCE_BUCKET, Key, Body }))
    },
    async remove(Key) {
      await server.client.send(new DeleteObjectCommand({ Bucket: SOURCE_BUCKET, Key }))
    },
    takeReads() {
      const fresh = proxy.seen.slice(taken)
      taken = proxy.seen.length
      return fresh.flatMap(({ method, url }) => {
        const { pathname } = new URL(url, proxy.url)
        const key = decodeURIComponent(pathname).slice(SOURCE_BUCKET.length + 2)
        return method === 'GET' && key !== '' ? [key] : []
      })
    },
    async close() {
      await proxy.close()
      await server.stop()
    },
  }
}

export const keyOf = (i: number) => `folder ${i % 50}/file-${i}.txt`

/** Puts `count` small files, each with content of its own. */
export async function fillStore(store: SourceStore, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, i) => i)
  await mapConcurrently(numbers, PUTS_AT_ONCE, (i) => store.put(keyOf(i), `content of file ${i}`))
}

export type S3Sync = {
  bucket_id: string
  /** The first run, which begins when the sync is made. */
  path: string
  trigger(): Promise<string>
  run(sync_job_id: string): Promise<Run>
  newestRun(): Promise<Run & { sync_job_id: string }>
  /** Waits until the run has ended. */
  ended(sync_job_id: string, timeout_ms: number): Promise<Run>
  /** Paths of all files that are known as taken. */
  takenPaths(): Promise<string[]>
  objectCount(): Promise<number>
}

/** A connection, a bucket and a sync of the store that removes what vanishes. */
export async function createS3Sync(call: Call, { server, proxy }: SourceStore): Promise<S3Sync> {
  const { access_key_id, secret_access_key, region } = server
  await call('POST', '/v1/organizations/connections', {
    name: 'store',
    provider_type: 's3',
    provider_config: { credentials: { access_key_id, secret_access_key }, region, endpoint_url: proxy.url },
  })
  const bucket_schema = { properties: { content: { type: 'text' } } }
  const { bucket_id } = await call<{ bucket_id: string }>('POST', '/v1/buckets', {
    bucket_name: 'taken-in',
    bucket_schema,
  })
  const { sync_config_id } = await call<{ sync_config_id: string }>(
    'POST',
    `/v1/buckets/${bucket_id}/syncs`,
    {
      connection_id: 'store',
      source_path: SOURCE_BUCKET,
      deletion_policy: 'delete',
      polling_interval_seconds: 900,
    },
  )
  const path = `/v1/buckets/${bucket_id}/syncs/${sync_config_id}`
  const run = (id: string) => call<Run>('GET', `${path}/runs/${id}`)
  return {
    bucket_id,
    path,
    run,
    trigger: async () => (await call<{ sync_job_id: string }>('POST', `${path}/trigger`)).sync_job_id,
    async newestRun() {
      const { results } = await call<{ results: (Run & { sync_job_id: string })[] }>(
        'GET',
        `${path}/runs?limit=1`,
      )
      return results[0]!
    },
    async ended(id, timeout_ms) {
      const deadline_ms = performance.now() + timeout_ms
      for (;;) {
        const found = await run(id)
        if (found.ended_at) return found
        assert.ok(performance.now() < deadline_ms, `the run has not ended: ${JSON.stringify(found)}`)
        await sleep(POLL_MS)
      }
    },
    async takenPaths() {
      const paths: string[] = []
      for (let cursor = ''; ; ) {
        const page = await call<{ results: { path: string }[]; pagination: { next_cursor?: string } }>(
          'GET',
          `${path}/files?state=synced&limit=1000&cursor=${cursor}`,
        )
        paths.push(...page.results.map((one) => one.path))
        if (!page.pagination.next_cursor) return paths
        cursor = page.pagination.next_cursor
      }
    },
    objectCount: async () =>
      (await call<{ object_count: number }>('GET', `/v1/buckets/${bucket_id}`)).object_count,
  }
}
