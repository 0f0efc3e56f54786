import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DIALECTS, testApp } from '../support/test-app.ts'

for (const dialect of DIALECTS) {
  test(`health, liveness, the OpenAPI document and the reference page need no key (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    assert.equal((await request('GET', '/v1/health', { key: null })).status, 200)
    assert.deepEqual((await request('GET', '/v1/health/liveness/', { key: null })).body, { status: 'ok' })
    assert.equal((await request('GET', '/openapi.json', { key: null })).body.openapi, '3.1.0')
    const page = await request('GET', '/docs/', { key: null })
    assert.match(String(page.headers['content-type']), /text\/html/)
  })

  test(`an unknown path is a 404 and a wrong method a 405, both in the envelope (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    const missing = await request('GET', '/v1/nothing')
    assert.equal(missing.status, 404)
    assert.equal(missing.body.error.code, 'route_not_found')
    const wrong = await request('POST', '/v1/health')
    assert.equal(wrong.status, 405)
    assert.equal(wrong.headers.allow, 'GET')
  })
}
