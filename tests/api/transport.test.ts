import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256 } from '../../src/core/ids.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

for (const dialect of DIALECTS) {
  test(`keys, bodies and namespaces on ${dialect}`, async (t) => {
    const { request, close, deps } = await testApp(dialect, { KURA_BODY_LIMIT_BYTES: '100000' })
    t.after(close)
    const list = (options: Parameters<typeof request>[2]) => request('POST', '/v1/retrievers/list', options)

    await t.test('a missing, malformed or unknown key is a 401', async () => {
      const wrong: Record<string, string>[] = [
        {},
        { authorization: 'Basic abc' },
        { authorization: 'Bearer sk_wrong' },
        { authorization: 'Bearer' },
      ]
      for (const headers of wrong) {
        const { status, body } = await list({ key: null, headers })
        assert.equal(status, 401)
        assert.equal(body.error.type, 'UnauthorizedError')
        assert.equal(body.success, false)
      }
    })

    await t.test('a key sent twice counts once, the first non-empty wins', async () => {
      const { status } = await list({
        key: null,
        headers: { authorization: ', Bearer sk_test_root_key_0123456789' },
      })
      assert.equal(status, 200)
    })

    await t.test('keys are stored hashed', async () => {
      const rows = await deps.db.selectFrom('api_keys').selectAll().execute()
      assert.ok(!JSON.stringify(rows).includes('sk_test_root_key_0123456789'))
    })

    await t.test('a key without the permission is a 403', async () => {
      const [root] = await deps.db.selectFrom('api_keys').selectAll().execute()
      const reader = {
        ...root!,
        key_id: 'key_reader',
        name: 'reader',
        key_hash: sha256('sk_reader'),
        permissions: '["read"]',
      }
      await deps.db.insertInto('api_keys').values(reader).execute()
      assert.equal((await list({ key: 'sk_reader' })).status, 200)
      const { status, body } = await request('DELETE', '/v1/retrievers/x', { key: 'sk_reader' })
      assert.equal(status, 403)
      assert.equal(body.error.code, 'permission_denied')
    })

    await t.test('an expired or revoked key is a 401', async () => {
      const [root] = await deps.db.selectFrom('api_keys').selectAll().execute()
      const expired = {
        ...root!,
        key_id: 'key_a',
        name: 'a',
        key_hash: sha256('sk_a'),
        expires_at: '2020-01-01T00:00:00.000000Z',
      }
      const revoked = { ...root!, key_id: 'key_b', name: 'b', key_hash: sha256('sk_b'), status: 'revoked' }
      await deps.db.insertInto('api_keys').values([expired, revoked]).execute()
      assert.equal((await list({ key: 'sk_a' })).status, 401)
      assert.equal((await list({ key: 'sk_b' })).status, 401)
    })

    await t.test('an empty body is no body, whatever Content-Type says', async () => {
      assert.equal((await list({ headers: { 'content-type': 'application/json' } })).status, 200)
      assert.equal((await list({ raw: 'null' })).status, 200)
      assert.equal((await list({ raw: '  ' })).status, 200)
    })

    await t.test('malformed JSON is a 422 in both shapes', async () => {
      const { status, body } = await list({ raw: '{"limit": ' })
      assert.equal(status, 422)
      assert.equal(body.error.code, 'validation_error')
      assert.deepEqual(body.detail[0].loc, ['body', 0])
      assert.equal(body.detail[0].type, 'json_invalid')
      assert.deepEqual(body.error.details.validation_errors[0].location, ['body', 0])
    })

    await t.test(
      'bodies past the limit, too deep, or with characters no database keeps are refused',
      async () => {
        assert.equal((await list({ raw: `{"search":"${'x'.repeat(100_001)}"}` })).status, 413)
        const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`
        assert.equal((await list({ raw: deep })).status, 422)
        assert.equal((await list({ raw: '{"search":"a\\u0000b"}' })).status, 422)
        assert.equal((await list({ raw: '{"search":"\\ud800"}' })).status, 422)
        assert.equal((await list({ raw: '{"__proto__":{"limit":1}}' })).status, 422)
      },
    )

    await t.test('limits are checked wherever they are sent, and a body value beats the query', async () => {
      for (const [limit, type] of [
        [0, 'greater_than_equal'],
        [1001, 'less_than_equal'],
        [-1, 'greater_than_equal'],
        [1e9, 'less_than_equal'],
        ['x', 'int_parsing'],
      ] as const) {
        const inBody = await list({ body: { limit } })
        assert.equal(inBody.status, 422, `${limit}`)
        assert.deepEqual(inBody.body.detail[0].loc, ['body', 'limit'])
        assert.equal(inBody.body.detail[0].type, type)
        const inQuery = await request('POST', `/v1/retrievers/list?limit=${limit}`)
        assert.deepEqual(inQuery.body.detail[0].loc, ['query', 'limit'])
      }
      const both = await request('POST', '/v1/retrievers/list?limit=5', { body: { limit: 3 } })
      assert.equal(both.body.pagination.page_size, 3)
    })

    await t.test('an unknown namespace is a 404 that reveals nothing', async () => {
      const { status, body } = await list({ namespace: 'elsewhere' })
      assert.equal(status, 404)
      assert.deepEqual(body.error.details, { resource: 'namespace', id: 'elsewhere' })
    })

    await t.test('the request id is echoed when it is harmless, else made', async () => {
      assert.equal((await list({ headers: { 'x-request-id': 'abc-1' } })).headers['x-request-id'], 'abc-1')
      assert.match(
        String((await list({ headers: { 'x-request-id': 'a\tb"<' } })).headers['x-request-id']),
        /^req_/,
      )
    })
  })
}
