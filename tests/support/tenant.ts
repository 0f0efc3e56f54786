import assert from 'node:assert/strict'
import { newId, sha256 } from '../../src/core/ids.ts'
import { timestamp } from '../../src/core/time.ts'
import type { Deps } from '../../src/deps.ts'
import { drainQueue } from './drain-queue.ts'
import { makePng } from './media.ts'
import type { TestApp, TestResponse } from './test-app.ts'

/** A namespace with one resource of every kind that the API serves; text in it holds the word of `mark`. */
export type Tenant = {
  namespace_id: string
  namespace_name: string
  key: string
  bucket_id: string
  bucket_name: string
  object_id: string
  /** Its file and a URL that gives it to anybody. */
  file_id: string
  file_url: string
  collection_id: string
  collection_name: string
  document_id: string
  /** It has ended, with one failed row. */
  batch_id: string
  task_id: string
  draft_batch_id: string
  /** It waits for bytes. */
  upload_id: string
  retriever_id: string
  retriever_name: string
  /** It belongs to the organization, and tells nobody. */
  webhook_id: string
  /** It belongs to the organization, and leads nowhere. */
  connection_id: string
  sync_config_id: string
  /** The only run of the sync; it has failed. */
  sync_job_id: string
}

type Options = { key?: string; name: string; mark: string }

/** Makes a namespace and fills it through the API, as a client would. */
export async function makeTenant(app: TestApp, { key = app.key, name, mark }: Options): Promise<Tenant> {
  const ok = async (method: 'GET' | 'POST', url: string, body?: unknown): Promise<TestResponse['body']> => {
    const answer = await app.request(method, `/v1${url}`, { body, key, namespace: name })
    assert.equal(answer.status, 200, `${method} ${url}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const { namespace_id } = await ok('POST', '/namespaces', {
    namespace_name: name,
    feature_extractors: [{ feature_extractor_name: 'text_extractor', version: 'v1' }],
  })
  const bucket_name = `bucket-${mark}`
  const { bucket_id } = await ok('POST', '/buckets', {
    bucket_name,
    bucket_schema: {
      properties: {
        title: { type: 'string' },
        body: { type: 'text' },
        year: { type: 'integer' },
        picture: { type: 'image' },
      },
    },
  })
  const collection_name = `collection-${mark}`
  const { collection_id } = await ok('POST', '/collections', {
    collection_name,
    source: { type: 'bucket', bucket_ids: [bucket_id] },
    feature_extractor: {
      feature_extractor_name: 'text_extractor',
      version: 'v1',
      input_mappings: { text: 'body' },
      field_passthrough: [{ source_path: 'title' }, { source_path: 'picture' }],
    },
  })
  const png = Buffer.from(await makePng(8, 8)).toString('base64')
  const object = await ok('POST', `/buckets/${bucket_id}/objects`, {
    title: mark,
    body: `A text about ${mark}.`,
    year: 2020,
    blobs: [{ property: 'picture', type: 'image', data: { base64: png, mime_type: 'image/png' } }],
  })
  // Bytes that are no text: this row fails, its neighbour does not.
  const { object_id: damaged_id } = await ok('POST', `/buckets/${bucket_id}/objects`, {
    title: `damaged ${mark}`,
    blobs: [{ property: 'body', type: 'text', data: { base64: 'AP8A/w==', filename: `${mark}.docx` } }],
  })
  const { object_id } = object
  const { batch_id } = await ok('POST', `/buckets/${bucket_id}/batches`, {
    object_ids: [object_id, damaged_id],
  })
  const { task_id } = await ok('POST', `/buckets/${bucket_id}/batches/${batch_id}/submit`)
  await drainQueue(app.deps)
  const documents = await ok('POST', `/collections/${collection_id}/documents/list`, {})
  const { batch_id: draft_batch_id } = await ok('POST', `/buckets/${bucket_id}/batches`, {
    object_ids: [object_id],
  })
  const { upload_id } = await ok('POST', `/buckets/${bucket_id}/uploads`, {
    filename: `${mark}.png`,
    content_type: 'image/png',
  })
  const retriever_name = `retriever-${mark}`
  const { retriever_id } = await ok('POST', '/retrievers', {
    retriever_name,
    collection_identifiers: [collection_id],
    input_schema: { query: { type: 'string' } },
    stages: [searchStage('{{inputs.query}}')],
  })
  const webhook = await app.request('POST', '/v1/organizations/webhooks', {
    key,
    body: {
      webhook_name: `webhook-${mark}`,
      event_types: ['alert.triggered'],
      channels: [{ channel: 'webhook', configs: { url: 'https://1.1.1.1/' } }],
      is_active: false,
    },
  })
  assert.equal(webhook.status, 201, JSON.stringify(webhook.body))
  const { connection_id } = await ok('POST', '/organizations/connections', {
    name: `connection-${mark}`,
    test_before_save: false,
    provider_type: 's3',
    provider_config: {
      region: 'us-east-1',
      endpoint_url: 'https://127.0.0.1:1',
      credentials: { type: 'access_key', access_key_id: mark, secret_access_key: mark },
    },
  })
  const sync = await ok('POST', `/buckets/${bucket_id}/syncs`, {
    connection_id,
    source_path: `store/${mark}`,
  })
  await drainQueue(app.deps)
  const shown = await ok('GET', `/buckets/${bucket_id}/objects/${object_id}?return_presigned_urls=true`)
  const file_url = shown.blobs[0].properties.presigned_url ?? shown.blobs[0].properties.url
  return {
    namespace_id,
    namespace_name: name,
    key,
    bucket_id,
    bucket_name,
    object_id,
    file_id: object.blobs[0].properties.url.replace('kura://files/', ''),
    file_url,
    collection_id,
    collection_name,
    document_id: documents.results[0].document_id,
    batch_id,
    task_id,
    draft_batch_id,
    upload_id,
    retriever_id,
    retriever_name,
    webhook_id: webhook.body.webhook_id,
    connection_id,
    sync_config_id: sync.sync_config_id,
    sync_job_id: sync.current_sync_run_id,
  }
}

/** What belongs to the organization of a tenant, as the routes of organizations name it. */
export type Account = {
  user_email: string
  key_name: string
  key_id: string
  secret_name: string
  audit_id: string
}

/** Makes a user with a key, and a secret, in the organization of a tenant. */
export async function makeAccount(app: TestApp, { key, namespace_name }: Tenant): Promise<Account> {
  const ask = async (method: 'GET' | 'POST', url: string, body?: unknown): Promise<TestResponse['body']> => {
    const answer = await app.request(method, `/v1/organizations${url}`, { body, key })
    assert.ok(answer.status < 300, JSON.stringify(answer.body))
    return answer.body
  }
  const user_email = `${namespace_name}@example.com`
  const key_name = `key of ${namespace_name}`
  const secret_name = `secret_${namespace_name}`
  await ask('POST', '/users', { email: user_email, user_name: namespace_name })
  const { key_id } = await ask('POST', `/users/${user_email}/api-keys`, { name: key_name })
  await ask('POST', '/secrets', { secret_name, secret_value: namespace_name })
  const { results } = await ask('GET', '/audit/logs')
  return { user_email, key_name, key_id, secret_name, audit_id: results[0].audit_id }
}

/** A stage that searches the texts of a collection made by `makeTenant`. */
export const searchStage = (query: unknown, more: object = {}) => ({
  stage_name: 'search',
  stage_type: 'filter',
  config: {
    stage_id: 'feature_search',
    parameters: {
      searches: [
        {
          feature_uri: 'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1',
          query,
          top_k: 10,
          ...more,
        },
      ],
      final_top_k: 10,
    },
  },
})

/** Another organization on the same server; returns its admin key. */
export async function makeOrganization({ db }: Deps, name: string): Promise<string> {
  const now = timestamp()
  const organization_id = newId.organization()
  const key = `sk_${name}_0123456789abcdef`
  await db
    .insertInto('organizations')
    .values({
      organization_id,
      internal_id: newId.internal(),
      organization_name: name,
      metadata: '{}',
      created_at: now,
      updated_at: now,
    })
    .execute()
  await db
    .insertInto('api_keys')
    .values({
      key_id: newId.key(),
      organization_id,
      key_hash: sha256(key),
      key_prefix: key.slice(0, 10),
      name: 'admin',
      permissions: '["admin"]',
      scopes: '[]',
      status: 'active',
      expires_at: null,
      created_at: now,
      updated_at: now,
    })
    .execute()
  return key
}
