import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { makeKey, makeUser } from '../support/keys.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const USERS = '/v1/organizations/users'

for (const dialect of DIALECTS) {
  let kura: TestApp
  before(async () => {
    kura = await testApp(dialect)
  })
  after(() => kura.close())

  test(`the first start makes an administrator who owns the first key (${dialect})`, async () => {
    const { body } = await kura.request('GET', `${USERS}/admin@localhost`)
    assert.equal(body.role, 'admin')
    assert.equal(body.status, 'active')
    const keys = await kura.request('GET', `${USERS}/admin@localhost/api-keys`)
    assert.deepEqual(
      keys.body.results.map(({ name, user_id }: Record<string, string>) => [name, user_id]),
      [['admin-key', body.user_id]],
    )
  })

  test(`emails are compared in lower case and taken once (${dialect})`, async () => {
    const created = await makeUser(kura, ' Ada@Example.COM ', { metadata: { team: 'a' } })
    assert.equal(created.email, 'ada@example.com')
    const again = await kura.request('POST', USERS, { body: { email: 'ADA@example.com', user_name: 'Ada' } })
    assert.equal(again.status, 409)
    assert.equal(again.body.error.code, 'user_email_taken')
    for (const identifier of [
      'ada@example.com',
      'ADA@EXAMPLE.com',
      created.user_id,
      encodeURIComponent('ada@example.com'),
    ])
      assert.equal((await kura.request('GET', `${USERS}/${identifier}`)).body.user_id, created.user_id)
    assert.equal((await kura.request('GET', `${USERS}/nobody@example.com`)).status, 404)
  })

  test(`what is no email, name or role is refused, naming the field (${dialect})`, async () => {
    for (const [field, value] of [
      ['email', 'nobody'],
      ['email', 'a b@example.com'],
      ['email', 'a@b/../c'],
      ['email', '../users@x'],
      ['email', `${'x'.repeat(320)}@example.com`],
      ['user_name', 'x'],
      ['role', 'root'],
      ['metadata', { big: 'x'.repeat(20_000) }],
    ] as const) {
      const body = { email: 'new@example.com', user_name: 'New', [field]: value }
      const answer = await kura.request('POST', USERS, { body })
      assert.equal(answer.status, 422, `${field} ${JSON.stringify(value).slice(0, 50)}`)
      assert.deepEqual(answer.body.detail[0].loc.slice(0, 2), ['body', field])
    }
  })

  test(`lists are newest first, filtered and paged by skip and limit (${dialect})`, async () => {
    for (const name of ['one', 'two', 'three'])
      await makeUser(kura, `${name}@list.example`, { role: 'viewer' })
    const page = await kura.request('GET', `${USERS}?role=viewer&skip=1&limit=1`)
    assert.deepEqual(
      [
        page.body.results.map((one: { email: string }) => one.email),
        page.body.total,
        page.body.skip,
        page.body.limit,
      ],
      [['two@list.example'], 3, 1, 1],
    )
    assert.equal((await kura.request('GET', `${USERS}?status=suspended`)).body.total, 0)
    assert.equal((await kura.request('GET', `${USERS}?limit=0`)).status, 422)
    assert.equal((await kura.request('GET', `${USERS}?limit=1001`)).status, 422)
    assert.equal((await kura.request('GET', `${USERS}?role=root`)).status, 422)
  })

  test(`the last active administrator cannot go, and the user of the server's key never (${dialect})`, async () => {
    const root = `${USERS}/admin@localhost`
    const tries = [
      ['PATCH', { role: 'member' }],
      ['PATCH', { status: 'suspended' }],
      ['DELETE', undefined],
    ] as const
    for (const [method, body] of tries) {
      const answer = await kura.request(method, root, { body })
      assert.equal(answer.status, 400)
      assert.equal(answer.body.error.code, 'last_admin')
    }
    await makeUser(kura, 'second@admin.example', { role: 'admin' })
    for (const [method, body] of tries) {
      const answer = await kura.request(method, root, { body })
      assert.equal(answer.status, 403)
      assert.equal(answer.body.error.code, 'key_protected')
    }
    assert.equal((await kura.request('DELETE', `${USERS}/second@admin.example`)).status, 200)
    assert.equal((await kura.request('PATCH', root, { body: { user_name: 'Boss' } })).body.user_name, 'Boss')
    assert.equal((await kura.request('PATCH', root, { body: {} })).body.error.code, 'empty_update')
  })

  test(`keys follow their user: role caps them, suspension stops them, deletion revokes them (${dialect})`, async () => {
    const email = 'carl@example.com'
    await makeUser(kura, email, { role: 'admin' })
    const { key } = await makeKey(kura, { permissions: ['admin'] }, email)
    const status = async (method: 'GET' | 'POST', url: string, body?: unknown) =>
      (await kura.request(method, url, { key, body })).status
    assert.equal(await status('GET', USERS), 200)
    await kura.request('PATCH', `${USERS}/${email}`, { body: { role: 'viewer' } })
    assert.equal(await status('GET', USERS), 403)
    assert.equal(
      await status('POST', '/v1/buckets', { bucket_name: 'x', bucket_schema: { properties: {} } }),
      403,
    )
    assert.equal(await status('GET', '/v1/buckets'), 200)
    await kura.request('PATCH', `${USERS}/${email}`, { body: { status: 'suspended' } })
    assert.equal(await status('GET', '/v1/buckets'), 401)
    await kura.request('PATCH', `${USERS}/${email}`, { body: { status: 'active' } })
    assert.equal(await status('GET', '/v1/buckets'), 200)
    await kura.request('DELETE', `${USERS}/${email}`)
    assert.equal(await status('GET', '/v1/buckets'), 401)
    assert.equal((await kura.request('GET', `${USERS}/${email}`)).status, 404)
  })

  test(`of racing demotions one administrator is left (${dialect})`, async () => {
    // All but admin@localhost go at once; only that one must stay.
    const emails = ['r1@race.example', 'r2@race.example', 'r3@race.example']
    for (const email of emails) await makeUser(kura, email, { role: 'admin' })
    const answers = await Promise.all(
      ['admin@localhost', ...emails].map((email) => kura.request('DELETE', `${USERS}/${email}`)),
    )
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, answers[0]!.status].sort())
    assert.ok([400, 403].includes(answers[0]!.status))
  })
}
