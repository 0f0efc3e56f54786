import assert from 'node:assert/strict'
import { type DrainOptions, drainQueue } from './drain-queue.ts'
import type { TestApp, TestResponse } from './test-app.ts'

type Body = Record<string, unknown>

/** Steps that most tests of ingestion share; each fails the test when the server refuses it. */
export function ingestFixture(app: TestApp) {
  const { request } = app

  async function ok(response: Promise<TestResponse>): Promise<TestResponse['body']> {
    const { status, body } = await response
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }

  return {
    ok,

    /** A bucket with a `title` and a `body` text, and whatever else is given. */
    async bucket(more: Body = {}, properties: Body = {}): Promise<string> {
      const body = {
        bucket_name: 'notes',
        bucket_schema: { properties: { title: { type: 'string' }, body: { type: 'text' }, ...properties } },
        ...more,
      }
      return (await ok(request('POST', '/v1/buckets', { body }))).bucket_id
    },

    async collection(name: string, source: Body, extractor: Body): Promise<string> {
      const body = {
        collection_name: name,
        source,
        feature_extractor: { version: 'v1', ...extractor },
      }
      return (await ok(request('POST', '/v1/collections', { body }))).collection_id
    },

    /** A collection that embeds `body` and passes `title` on. */
    textCollection(bucket_id: string, extractor: Body = {}, source: Body = {}): Promise<string> {
      return this.collection(
        'texts',
        { type: 'bucket', bucket_ids: [bucket_id], ...source },
        {
          feature_extractor_name: 'text_extractor',
          input_mappings: { text: 'body' },
          field_passthrough: [{ source_path: 'title' }],
          ...extractor,
        },
      )
    },

    async objects(bucket_id: string, objects: Body[]): Promise<string[]> {
      const ids: string[] = []
      for (const body of objects)
        ids.push((await ok(request('POST', `/v1/buckets/${bucket_id}/objects`, { body }))).object_id)
      return ids
    },

    async batch(bucket_id: string, object_ids: string[]): Promise<string> {
      const batch = await ok(request('POST', `/v1/buckets/${bucket_id}/batches`, { body: { object_ids } }))
      return batch.batch_id
    },

    async submit(bucket_id: string, batch_id: string): Promise<TestResponse['body']> {
      return ok(request('POST', `/v1/buckets/${bucket_id}/batches/${batch_id}/submit`))
    },

    getBatch(bucket_id: string, batch_id: string): Promise<TestResponse['body']> {
      return ok(request('GET', `/v1/buckets/${bucket_id}/batches/${batch_id}`))
    },

    /** A batch of these objects, run to its end in this process. */
    async process(bucket_id: string, object_ids: string[], options: DrainOptions = {}) {
      const batch_id = await this.batch(bucket_id, object_ids)
      await this.submit(bucket_id, batch_id)
      await drainQueue(app.deps, options)
      return this.getBatch(bucket_id, batch_id)
    },

    async documents(collection_id: string, more: Body = {}): Promise<TestResponse['body'][]> {
      const body = { limit: 1000, ...more }
      const list = await ok(request('POST', `/v1/collections/${collection_id}/documents/list`, { body }))
      return list.results
    },
  }
}
