import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { makeKey } from '../support/keys.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

for (const dialect of DIALECTS) {
  let kura: TestApp
  before(async () => {
    kura = await testApp(dialect, { KURA_RATE_LIMIT_PER_MINUTE: '50' })
  })
  after(() => kura.close())

  test(`limits are off by default: no headers, and a million in the organization (${dialect})`, async (t) => {
    const plain = await testApp(dialect)
    t.after(plain.close)
    const answer = await plain.request('GET', '/v1/organizations')
    assert.equal(answer.headers['x-ratelimit-limit'], undefined)
    assert.deepEqual(answer.body.rate_limits, {
      metadata: 1_000_000,
      data: 1_000_000,
      search: 1_000_000,
      upload: 1_000_000,
      compute: 1_000_000,
    })
  })

  test(`answers tell what is left, past the limit 429 says when to come back (${dialect})`, async () => {
    const { key } = await makeKey(kura, { rate_limit_override: 3 })
    const ask = () => kura.request('GET', '/v1/buckets', { key })
    const first = await ask()
    assert.deepEqual(
      ['limit', 'remaining', 'reset', 'window'].map((name) => String(first.headers[`x-ratelimit-${name}`])),
      ['3', '2', '20', '1m'],
    )
    await ask()
    await ask()
    const refused = await ask()
    assert.equal(refused.status, 429)
    assert.equal(refused.body.error.type, 'TooManyRequestsError')
    assert.deepEqual(refused.body.error.details, {
      limit: 3,
      window: '1m',
      retry_after: Number(refused.headers['retry-after']),
      api_name: 'metadata',
    })
    assert.ok(Number(refused.headers['retry-after']) >= 1)
    assert.equal(String(refused.headers['x-ratelimit-remaining']), '0')
  })

  test(`categories and keys have buckets of their own, and health has none (${dialect})`, async () => {
    const { key } = await makeKey(kura, { rate_limit_override: 1, permissions: ['write'] })
    const status = async (method: 'GET' | 'POST', url: string) =>
      (await kura.request(method, url, { key, ...(method === 'POST' && { body: {} }) })).status
    assert.equal(await status('GET', '/v1/buckets'), 200)
    assert.equal(await status('GET', '/v1/namespaces'), 429, 'both are configuration')
    assert.notEqual(await status('POST', '/v1/buckets/x/objects/list'), 429, 'data')
    assert.notEqual(await status('POST', '/v1/retrievers/execute'), 429, 'search')
    assert.notEqual(await status('POST', '/v1/buckets/x/batches/y/submit'), 429, 'compute')
    assert.equal(await status('POST', '/v1/buckets/x/batches/y/submit'), 429)
    for (let i = 0; i < 5; i++) {
      const { status, headers } = await kura.request('GET', '/v1/health/liveness', { key })
      assert.equal(status, 200)
      assert.equal(headers['x-ratelimit-limit'], undefined)
    }
    const neighbour = await makeKey(kura, { rate_limit_override: 1 })
    assert.equal((await kura.request('GET', '/v1/buckets', { key: neighbour.key })).status, 200)
  })

  test(`an organization sets its own limits, by category (${dialect})`, async () => {
    const limit = async (url = '/v1/buckets') =>
      Number((await kura.request('GET', url)).headers['x-ratelimit-limit'])
    assert.equal(await limit(), 50)
    const patch = (rate_limits: unknown) =>
      kura.request('PATCH', '/v1/organizations', { body: { rate_limits } })
    const { body } = await patch({ metadata: 70 })
    assert.deepEqual([body.rate_limits.metadata, body.rate_limits.search], [70, 50])
    assert.equal(await limit(), 70)
    assert.equal(await limit('/v1/batches/btch_x'), 50)
    assert.equal((await patch({ metadata: 0 })).status, 422)
    await patch(null)
    assert.equal(await limit(), 50)
  })

  test(`requests without a key, or with a wrong one, use nobody's tokens (${dialect})`, async () => {
    const { key } = await makeKey(kura, { rate_limit_override: 2 })
    for (const wrong of [null, 'sk_wrong'])
      for (let i = 0; i < 5; i++)
        assert.equal((await kura.request('GET', '/v1/buckets', { key: wrong })).status, 401)
    assert.equal((await kura.request('GET', '/v1/buckets', { key })).status, 200)
  })
}
