import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { HttpClient } from '../../src/platform/net/http-client.ts'
import { s3Source } from '../../src/platform/sources/s3-source.ts'
import { sourceContext } from '../../src/platform/sources/source-context.ts'

test('a store whose pages hold nothing and never end is given up', { timeout: 60_000 }, async (t) => {
  let pages = 0
  const store = createServer((_, response) =>
    response.setHeader('content-type', 'application/xml').end(`<?xml version="1.0"?><ListBucketResult>
      <IsTruncated>true</IsTruncated><NextContinuationToken>${++pages}</NextContinuationToken></ListBucketResult>`),
  )
  await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve))
  t.after(() => store.close().closeAllConnections())
  const allowed_private_hosts = '127.0.0.1'
  const http = new HttpClient({ allowed_private_hosts })
  t.after(() => http.close())
  const clouds = {
    google_api_url: '',
    google_token_url: '',
    microsoft_graph_url: '',
    microsoft_login_url: '',
  }
  const source = await s3Source.open(
    {
      credentials: { access_key_id: 'key', secret_access_key: 'secret' },
      region: 'us-east-1',
      endpoint_url: `http://127.0.0.1:${(store.address() as AddressInfo).port}`,
    },
    sourceContext({ local_source_roots: '', allowed_private_hosts, ...clouds }, http),
  )
  t.after(() => source.close())
  const options = { signal: AbortSignal.timeout(50_000), page_size: 50, cursor: null }
  await assert.rejects(
    async () => {
      for await (const item of source.list('bucket', options)) assert.fail(JSON.stringify(item))
    },
    { code: 'source_listing_endless' },
  )
  assert.ok(pages < 2000, `${pages} pages`)
})
