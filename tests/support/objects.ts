import assert from 'node:assert/strict'
import type { BucketSchema } from '../../src/core/bucket-schema.ts'
import type { Dialect } from '../../src/platform/db/db.ts'
import { makeNamespace } from './make-namespace.ts'
import { type RequestOptions, type TestResponse, testApp } from './test-app.ts'

type BucketOptions = { schema?: BucketSchema; unique_key?: object }

/** A server with one namespace, and short words for what tests of objects do all the time. */
export async function objectsApp(dialect: Dialect, environment: Record<string, string> = {}) {
  const kura = await testApp(dialect, environment)
  const namespace_id = await makeNamespace(kura.deps, 'tests')
  const { organizationId } = kura.deps.bootstrap
  let count = 0

  const request = (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    options: RequestOptions = {},
  ): Promise<TestResponse> =>
    kura.request(method, `/v1/buckets/${url}`, { namespace: namespace_id, ...options })

  return {
    ...kura,
    namespace_id,
    scope: { organizationId, namespaceId: namespace_id },
    request,

    /** A new bucket; returns its id. */
    async bucket({ schema = { properties: {} }, unique_key }: BucketOptions = {}): Promise<string> {
      const body = {
        bucket_name: `bucket-${count++}`,
        bucket_schema: schema,
        ...(unique_key && { unique_key }),
      }
      const answer = await kura.request('POST', '/v1/buckets', { body, namespace: namespace_id })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body.bucket_id
    },

    /** Creates an object that must succeed. */
    async create(bucket_id: string, body: object, query = ''): Promise<TestResponse['body']> {
      const answer = await request('POST', `${bucket_id}/objects${query}`, { body })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body
    },

    /** Sends an object that must be refused with this status and code. */
    async refuses(
      status: number,
      code: string,
      bucket_id: string,
      body: unknown,
      query = '',
    ): Promise<TestResponse['body']> {
      const answer = await request('POST', `${bucket_id}/objects${query}`, { body })
      assert.equal(answer.status, status, JSON.stringify(answer.body))
      assert.equal(answer.body.error.code, code, JSON.stringify(answer.body))
      return answer.body
    },

    /** Bytes behind a blob, read as the engine reads them. */
    async stored(blob: { properties: { url: string } }): Promise<Buffer> {
      const file_id = blob.properties.url.replace('kura://files/', '')
      return Buffer.from(
        await kura.deps.files.bytes({ organizationId, namespaceId: namespace_id }, file_id, 1e9),
      )
    },

    /** Keys in the blob store, whoever made them. */
    async storedKeys(): Promise<string[]> {
      const keys: string[] = []
      for await (const { key } of kura.deps.blobs.list('files/')) keys.push(key)
      return keys
    },
  }
}

export type ObjectsApp = Awaited<ReturnType<typeof objectsApp>>
