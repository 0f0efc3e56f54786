import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sha256 } from '../../src/core/ids.ts'
import { toTimestamp } from '../../src/core/time.ts'
import { KeyService } from '../../src/resources/organizations/api-keys/service.ts'
import { makeKey, makeUser } from '../support/keys.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const OWNER = 'owner@example.com'
const KEYS = `/v1/organizations/users/${OWNER}/api-keys`

for (const dialect of DIALECTS) {
  let kura: TestApp
  before(async () => {
    kura = await testApp(dialect)
    await makeUser(kura, OWNER, { role: 'admin' })
  })
  after(() => kura.close())

  const works = async (key: string, headers: Record<string, string> = {}) =>
    (await kura.request('GET', '/v1/buckets', { key, headers })).status

  test(`a key is shown once, and only its hash is kept (${dialect})`, async () => {
    const { body, status } = await kura.request('POST', KEYS, { body: { name: 'shown once' } })
    assert.equal(status, 200)
    assert.match(body.key, /^sk_[A-Za-z0-9]{43}$/)
    assert.equal(body.key_hash, sha256(body.key))
    assert.equal(body.key_prefix, `${body.key.slice(0, 10)}...`)
    assert.match(body.internal_id, /^int_/)
    assert.deepEqual(body.permissions, ['read'])
    assert.equal(await works(body.key), 200)
    const list = await kura.request('GET', KEYS)
    assert.ok(!JSON.stringify(list.body).includes(body.key))
    for (const table of ['api_keys', 'audit_events'] as const)
      assert.ok(
        !JSON.stringify(await kura.deps.db.selectFrom(table).selectAll().execute()).includes(body.key),
      )
  })

  test(`names are unique among the active keys of a user, and free again afterwards (${dialect})`, async () => {
    await makeKey(kura, { name: 'unique' }, OWNER)
    const again = await kura.request('POST', KEYS, { body: { name: ' unique ' } })
    assert.equal(again.status, 409)
    assert.equal(again.body.error.code, 'api_key_name_taken')
    await makeKey(kura, { name: 'unique' })
    assert.equal((await kura.request('DELETE', `${KEYS}/unique`)).status, 200)
    await makeKey(kura, { name: 'unique' }, OWNER)
    const racing = await Promise.all(
      Array.from({ length: 8 }, () => kura.request('POST', KEYS, { body: { name: 'raced' } })),
    )
    assert.deepEqual(racing.map(({ status }) => status).sort(), [200, 409, 409, 409, 409, 409, 409, 409])
  })

  test(`a revoked key stops at once, stays revoked, and is listed on request only (${dialect})`, async () => {
    const { key, name, key_id } = await makeKey(kura, {}, OWNER)
    assert.equal(await works(key), 200)
    const revoked = await kura.request('PATCH', `${KEYS}/${encodeURIComponent(name)}`, {
      body: { status: 'revoked' },
    })
    assert.equal(revoked.body.status, 'revoked')
    assert.ok(revoked.body.revoked_at && revoked.body.revoked_by)
    assert.equal(await works(key), 401)
    const back = await kura.request('PATCH', `${KEYS}/${key_id}`, { body: { status: 'active' } })
    assert.equal(back.body.error.code, 'api_key_not_active')
    assert.equal(
      (await kura.request('DELETE', `${KEYS}/${key_id}`)).status,
      200,
      'revoking twice is no error',
    )
    const ids = async (query: string) =>
      (await kura.request('GET', `${KEYS}${query}`)).body.results.map((one: { key_id: string }) => one.key_id)
    assert.ok(!(await ids('')).includes(key_id))
    assert.ok((await ids('?include_revoked=true')).includes(key_id))
    assert.equal((await kura.request('DELETE', `${KEYS}/unknown`)).status, 404)
  })

  test(`a key that another server revokes is refused here within five seconds (${dialect})`, async () => {
    const { key, key_id } = await makeKey(kura, {}, OWNER)
    assert.equal(await works(key), 200)
    // As another server does it: this one is told nothing.
    await kura.deps.db
      .updateTable('api_keys')
      .set({ status: 'revoked' })
      .where('key_id', '=', key_id)
      .execute()
    const start_ms = performance.now()
    while ((await works(key)) === 200) await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(performance.now() - start_ms < 5500)
  })

  test(`a key expires, lists say so, and its name is free (${dialect})`, async () => {
    const { key, name, key_id } = await makeKey(kura, { expires_at: '2999-01-01T00:00:00Z' }, OWNER)
    assert.equal(await works(key), 200)
    const past = toTimestamp(Date.now() - 1000)
    await kura.deps.db
      .updateTable('api_keys')
      .set({ expires_at: past })
      .where('key_id', '=', key_id)
      .execute()
    kura.deps.callers.expire()
    assert.equal(await works(key), 401)
    const { results } = (await kura.request('GET', `${KEYS}?include_revoked=true`)).body
    assert.equal(results.find((one: { key_id: string }) => one.key_id === key_id).status, 'expired')
    await makeKey(kura, { name }, OWNER)
    const late = await kura.request('POST', KEYS, { body: { name: 'late', expires_at: '2020-01-01' } })
    assert.equal(late.status, 422)
    assert.deepEqual(late.body.detail[0].loc, ['body', 'expires_at'])
  })

  test(`null clears an expiry, and lists are replaced (${dialect})`, async () => {
    const scope = { resource_type: 'bucket', resource_id: 'a*', operations: ['read_data'] }
    const { key_id } = await makeKey(
      kura,
      { expires_at: '2999-01-01', scopes: [scope], permissions: ['write'], description: 'old' },
      OWNER,
    )
    const patch = async (body: object) => (await kura.request('PATCH', `${KEYS}/${key_id}`, { body })).body
    assert.equal((await patch({ expires_at: null })).expires_at, undefined)
    const other = { resource_type: 'collection', resource_id: 'b' }
    assert.deepEqual((await patch({ scopes: [other] })).scopes, [other])
    assert.deepEqual((await patch({ scopes: null })).scopes, [])
    assert.deepEqual((await patch({ permissions: ['read', 'delete'] })).permissions, ['read', 'delete'])
    assert.equal((await patch({ description: null })).description, '')
    assert.equal((await patch({})).error.code, 'empty_update')
  })

  test(`rotation revokes the old key at once, unless an overlap is asked for (${dialect})`, async () => {
    const old = await makeKey(kura, { permissions: ['write'], description: 'kept' }, OWNER)
    const rotate = (body?: object) =>
      kura.request('POST', `${KEYS}/${encodeURIComponent(old.name)}/rotate`, { body })
    const { body: second } = await rotate()
    assert.notEqual(second.key_id, old.key_id)
    assert.deepEqual([second.name, second.permissions, second.description], [old.name, ['write'], 'kept'])
    assert.deepEqual([await works(old.key), await works(second.key)], [401, 200])
    const { body: third } = await rotate({ overlap_seconds: 3600 })
    assert.deepEqual([await works(second.key), await works(third.key)], [200, 200])
    const { results } = (await kura.request('GET', KEYS)).body
    const ending = results.find((one: { key_id: string }) => one.key_id === second.key_id)
    const left_ms = Date.parse(ending.expires_at) - Date.now()
    assert.ok(left_ms > 3_500_000 && left_ms <= 3_600_000)
    const named = await kura.request('PATCH', `${KEYS}/${encodeURIComponent(old.name)}`, {
      body: { description: 'x' },
    })
    assert.equal(named.body.key_id, third.key_id, 'the name means the new key')
    for (const overlap_seconds of [-1, 1.5, 31 * 24 * 3600, 'soon'])
      assert.equal((await rotate({ overlap_seconds })).status, 422)
    const revoked = await kura.request('POST', `${KEYS}/${old.key_id}/rotate`)
    assert.equal(revoked.body.error.code, 'api_key_not_active')
  })

  test(`of racing rotations one wins and one key of the name is active (${dialect})`, async () => {
    const { key_id, name } = await makeKey(kura, {}, OWNER)
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => kura.request('POST', `${KEYS}/${key_id}/rotate`)),
    )
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400, 400, 400])
    const { results } = (await kura.request('GET', KEYS)).body
    assert.equal(results.filter((one: { name: string }) => one.name === name).length, 1)
  })

  test(`a key can never do more than its maker or its owner (${dialect})`, async () => {
    await makeUser(kura, 'viewer@example.com', { role: 'viewer' })
    await makeUser(kura, 'member@example.com', { role: 'member' })
    const create = (user: string, permissions: string[]) =>
      kura.request('POST', `/v1/organizations/users/${user}/api-keys`, {
        body: { name: permissions.join(), permissions },
      })
    for (const [user, permission] of [
      ['viewer@example.com', 'write'],
      ['viewer@example.com', 'admin'],
      ['member@example.com', 'admin'],
    ] as const) {
      const { status, body } = await create(user, ['read', permission])
      assert.equal(status, 403, `${user} ${permission}`)
      assert.equal(body.error.code, 'permission_exceeded')
    }
    assert.equal((await create('member@example.com', ['delete'])).status, 200)
    const grown = await kura.request('PATCH', '/v1/organizations/users/member@example.com/api-keys/delete', {
      body: { permissions: ['admin'] },
    })
    assert.equal(grown.body.error.code, 'permission_exceeded')
  })

  test(`the key of the server cannot be changed, and its name is not free (${dialect})`, async () => {
    const root = '/v1/organizations/users/admin@localhost/api-keys/admin-key'
    for (const [method, url, body] of [
      ['PATCH', root, { description: 'x' }],
      ['DELETE', root, undefined],
      ['POST', `${root}/rotate`, undefined],
    ] as const) {
      const answer = await kura.request(method, url, { body })
      assert.equal(answer.status, 403)
      assert.equal(answer.body.error.code, 'key_protected')
    }
    for (const name of ['admin-key', ' admin-key '])
      assert.equal((await kura.request('POST', KEYS, { body: { name } })).body.error.code, 'reserved_name')
  })

  test(`names that look like paths or headers are refused (${dialect})`, async () => {
    for (const name of ['../admin', 'a/b', 'a\nb', 'a\r\nX-Admin: 1', '\u007f', '   ', 'x'.repeat(101)])
      assert.equal((await kura.request('POST', KEYS, { body: { name } })).status, 422, JSON.stringify(name))
  })

  test(`an origin is checked when it is sent, against what the key allows (${dialect})`, async () => {
    const { key } = await makeKey(
      kura,
      { allowed_origins: ['https://shop.example', 'http://localhost:3000'] },
      OWNER,
    )
    assert.equal(await works(key), 200)
    assert.equal(await works(key, { origin: 'https://shop.example' }), 200)
    for (const origin of [
      'https://shop.example.evil',
      'http://shop.example',
      'null',
      'https://shop.example/',
      '',
    ])
      assert.equal(await works(key, { origin }), 403, origin)
    assert.equal(await works((await makeKey(kura, {}, OWNER)).key, { origin: 'https://any.example' }), 200)
    for (const origin of ['shop.example', 'https://shop.example/path', 'javascript:alert(1)', ''])
      assert.equal(
        (await kura.request('POST', KEYS, { body: { name: 'o', allowed_origins: [origin] } })).status,
        422,
      )
  })

  test(`last use is written later, never by the request itself (${dialect})`, async () => {
    const { key, key_id } = await makeKey(kura, {}, OWNER)
    await works(key)
    const read = async () =>
      (await kura.request('GET', KEYS)).body.results.find((one: { key_id: string }) => one.key_id === key_id)
        .last_used_at
    assert.equal(await read(), undefined)
    await kura.deps.usage.flush()
    assert.ok(Date.now() - Date.parse(await read()) < 10_000)
  })

  test(`an expired key says so before anybody has written it down (${dialect})`, async () => {
    const clock = { now: () => Date.parse('2030-01-01T00:00:00Z') }
    const keys = new KeyService({ db: kura.deps.db, onKeysChanged: () => undefined, clock })
    const scope = { organizationId: kura.deps.bootstrap.organizationId }
    const { key_id } = await makeKey(kura, { expires_at: '2029-12-31T23:59:59Z' }, OWNER)
    const { results } = await keys.list(scope, OWNER, true)
    assert.equal(results.find((one) => one.key_id === key_id)!.status, 'expired')
  })
}
