import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { WEBHOOK_EVENT_TYPES } from '../../src/core/webhook-events.ts'
import { WebhookService } from '../../src/resources/webhooks/service.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const PATH = '/v1/organizations/webhooks'
const URL_ = 'https://hooks.example.com/in'

for (const dialect of DIALECTS) {
  let kura: TestApp
  before(async () => {
    kura = await testApp(dialect)
  })
  after(() => kura.close())
  beforeEach(() => kura.deps.db.deleteFrom('webhooks').execute())

  const body = (more: object = {}, configs: object = {}) => ({
    webhook_name: 'orders',
    event_types: ['object.created'],
    channels: [{ channel: 'webhook', configs: { url: URL_, ...configs } }],
    ...more,
  })
  const create = async (more: object = {}, configs: object = {}) => {
    const answer = await kura.request('POST', `${PATH}/`, { body: body(more, configs) })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    return answer.body
  }
  const refuses = async (
    status: number,
    code: string,
    sent: unknown,
    method: 'POST' | 'PUT' = 'POST',
    path = PATH,
  ) => {
    const answer = await kura.request(method, path, { body: sent })
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    assert.equal(answer.body.error.code, code, JSON.stringify(answer.body))
    return answer.body
  }

  test(`a masked secret that comes back while the secret is rotated stands for the new one (${dialect})`, async () => {
    const made = await create({}, { secret: 'an old secret of theirs' })
    const scope = { organizationId: kura.deps.bootstrap.organizationId }
    const { db, secrets } = kura.deps
    let rotations = 0
    const slow = new WebhookService({
      db,
      secrets,
      rules: {
        http: {
          async checkAddress() {
            if (rotations++ > 0) return
            const url = `${PATH}/${made.webhook_id}/rotate-secret`
            await kura.request('POST', url, { body: { secret: 'the secret from now on' } })
          },
        },
        allows_http: false,
        has_email: false,
      },
    })
    await slow.update(scope, made.webhook_id, { channels: made.channels })
    const { channels } = await slow.find(scope, made.webhook_id)
    assert.equal(channels[0]?.channel === 'webhook' && channels[0].configs.secret, 'the secret from now on')
  })

  test(`a webhook is created with 201, read by id and by name, and listed (${dialect})`, async () => {
    const made = await create()
    assert.match(made.webhook_id, /^wh_[a-f0-9]{16}$/)
    assert.equal(made.is_active, true)
    assert.deepEqual(made.channels, [{ channel: 'webhook', configs: { url: URL_, timeout: 10 } }])
    for (const identifier of [made.webhook_id, 'orders'])
      assert.deepEqual((await kura.request('GET', `${PATH}/${identifier}`)).body, made)
    await create({ webhook_name: 'second', event_types: ['collection.created'], is_active: false })
    const all = await kura.request('POST', `${PATH}/list?limit=1`)
    assert.equal(all.body.total, 2)
    assert.equal(all.body.results.length, 1)
    assert.equal(all.body.results[0].webhook_name, 'second')
    const next = await kura.request('POST', `${PATH}/list?limit=1&cursor=${all.body.pagination.next_cursor}`)
    assert.equal(next.body.results[0].webhook_name, 'orders')
    const by = async (query: object) =>
      (await kura.request('POST', `${PATH}/list`, { body: query })).body.results.map(
        (one: { webhook_name: string }) => one.webhook_name,
      )
    assert.deepEqual(await by({ event_type: 'object.created' }), ['orders'])
    assert.deepEqual(await by({ is_active: false }), ['second'])
    assert.deepEqual(await by({ is_active: null, search: 'ORD' }), ['orders'])
  })

  test(`names are unique, and "list" is nobody's (${dialect})`, async () => {
    await create()
    await refuses(409, 'webhook_name_taken', body())
    await refuses(400, 'reserved_name', body({ webhook_name: 'list' }))
    await create({ webhook_name: 'other' })
    await refuses(409, 'webhook_name_taken', body(), 'PUT', `${PATH}/other`)
  })

  test(`every event type is taken, * stands for all of them, others are refused (${dialect})`, async () => {
    const made = await create({ event_types: ['*'] })
    assert.deepEqual(made.event_types, [...WEBHOOK_EVENT_TYPES])
    for (const event_type of [
      'batch.completed',
      'taxonomy.materialized',
      'usage.threshold_exceeded',
      'x',
      '',
    ])
      await refuses(422, 'validation_error', body({ webhook_name: 'x', event_types: [event_type] }))
    await refuses(422, 'validation_error', body({ webhook_name: 'x', event_types: [] }))
    await refuses(422, 'validation_error', body({ webhook_name: 'x', channels: [] }))
  })

  test(`the dialect of n8n makes one webhook channel with a made-up name (${dialect})`, async () => {
    const sent = { url: URL_, events: ['*'], secret: 'a secret of n8n users', active: false }
    const { status, body: made } = await kura.request('POST', PATH, { body: sent })
    assert.equal(status, 201, JSON.stringify(made))
    assert.match(made.webhook_name, /^webhook-/)
    assert.equal(made.is_active, false)
    assert.equal(made.channels[0].configs.url, URL_)
    assert.equal(made.channels[0].configs.secret, '********')
    const patched = await kura.request('PATCH', `${PATH}/${made.webhook_id}`, { body: { active: true } })
    assert.equal(patched.status, 200)
    assert.equal(patched.body.is_active, true)
    assert.equal(patched.body.webhook_name, made.webhook_name)
  })

  test(`PUT replaces, PATCH changes a part, DELETE is 204 also when nothing is there (${dialect})`, async () => {
    const { webhook_id, ...made } = await create()
    const put = await kura.request('PUT', `${PATH}/orders`, {
      body: {
        ...made,
        webhook_id: 'wh_0000000000000000',
        webhook_name: 'renamed',
        event_types: ['object.deleted'],
      },
    })
    assert.equal(put.status, 200, JSON.stringify(put.body))
    assert.equal(put.body.webhook_id, webhook_id)
    assert.deepEqual(put.body.event_types, ['object.deleted'])
    const patched = await kura.request('PATCH', `${PATH}/${webhook_id}`, { body: { event_types: ['*'] } })
    assert.equal(patched.body.event_types.length, WEBHOOK_EVENT_TYPES.length)
    assert.equal(
      (await kura.request('PATCH', `${PATH}/${webhook_id}`, { body: {} })).body.error.code,
      'empty_update',
    )
    for (const identifier of ['renamed', 'renamed', webhook_id])
      assert.equal((await kura.request('DELETE', `${PATH}/${identifier}`)).status, 204)
    assert.equal((await kura.request('GET', `${PATH}/${webhook_id}`)).status, 404)
    await refuses(404, 'webhook_not_found', body(), 'PUT', `${PATH}/${webhook_id}`)
  })

  test(`secrets are sealed in the database, shown masked, and stay when they come back masked (${dialect})`, async () => {
    const secrets = {
      url: `${URL_}?token=hidden-in-the-url&page=2`,
      secret: 'hidden signing secret',
      headers: {
        Authorization: 'Bearer hidden-header',
        'X-Mixpeek-Secret': 'hidden-static',
        'X-Plain': 'shown',
      },
    }
    const made = await create({}, secrets)
    const { configs } = made.channels[0]
    assert.ok(!JSON.stringify(made).includes('hidden-') && !JSON.stringify(made).includes('hidden signing'))
    assert.equal(configs.url, `${URL_}?token=********&page=2`)
    assert.deepEqual(configs.headers, {
      Authorization: '********',
      'X-Mixpeek-Secret': '********',
      'X-Plain': 'shown',
    })
    const rows = JSON.stringify(await kura.deps.db.selectFrom('webhooks').selectAll().execute())
    assert.ok(!rows.includes('hidden') && !rows.includes('hooks.example.com'))
    const back = await kura.request('PUT', `${PATH}/orders`, { body: { ...made, webhook_name: 'again' } })
    assert.equal(back.status, 200, JSON.stringify(back.body))
    const stored = await kura.deps.webhookServices.webhooks.find(
      { organizationId: kura.deps.bootstrap.organizationId },
      'again',
    )
    assert.deepEqual(stored.channels[0]?.configs, { ...secrets, timeout: 10 })
    // A header was given for one receiver; it does not go to another.
    const moved = {
      ...made,
      channels: [{ channel: 'webhook', configs: { ...configs, url: 'https://evil.example.net/' } }],
    }
    await refuses(422, 'validation_error', moved, 'PUT', `${PATH}/again`)
    await refuses(422, 'validation_error', body({ webhook_name: 'new' }, { secret: '********'.repeat(2) }))
  })

  test(`addresses that no webhook may reach are refused when they are saved (${dialect})`, async () => {
    for (const url of [
      'http://hooks.example.com/in',
      'https://127.0.0.1/',
      'https://10.1.2.3/',
      'https://169.254.169.254/latest',
      'https://[::1]/',
      'https://[::ffff:10.0.0.1]/',
      'https://0x7f000001/',
      'https://user:password@hooks.example.com/',
      'ftp://hooks.example.com/',
    ])
      await refuses(400, 'url_not_allowed', body({}, { url }))
    await refuses(400, 'url_not_usable', body({}, { url: 'not a url' }))
    const slack = (configs: object) => body({ channels: [{ channel: 'slack', configs }] })
    await refuses(400, 'url_not_allowed', slack({ webhook_url: 'https://127.0.0.1/x' }))
    await refuses(422, 'validation_error', slack({ bot_token: 'xoxb' }))
  })

  test(`headers, templates, times and secrets that cannot work are refused by name (${dialect})`, async () => {
    for (const configs of [
      { headers: { 'Content-Length': '1' } },
      { headers: { 'X-Mixpeek-Signature': 'forged' } },
      { headers: { 'bad name': 'x' } },
      { headers: { 'X-A': 'line\r\nbreak' } },
      { headers: { 'X-A': '1', 'x-a': '2' } },
      { timeout: 31 },
      { timeout: 0 },
      { payload_template: { text: '{% if %}' } },
      { secret: 'short' },
      { secret: 'whsec_not base64 at all' },
      { secret: 'whsec_c2hvcnQ=' },
      { url: '' },
    ]) {
      const refused = await refuses(422, 'validation_error', body({}, configs))
      assert.deepEqual(refused.detail[0].loc.slice(0, 4), ['body', 'channels', 0, 'configs'])
    }
    await refuses(422, 'validation_error', body({ channels: [{ channel: 'pager', configs: {} }] }))
    await refuses(422, 'validation_error', { ...body(), webhook_name: undefined })
  })

  test(`e-mail needs a mail server, and proper addresses (${dialect})`, async () => {
    const email = (configs: object) => body({ channels: [{ channel: 'email', configs }] })
    await refuses(400, 'email_not_configured', email({ to_addresses: ['a@example.com'] }))
    await refuses(422, 'validation_error', email({ to_addresses: ['nobody'] }))
    await refuses(422, 'validation_error', email({ to_addresses: ['a@example.com, b@example.com'] }))
    await refuses(422, 'validation_error', email({ to_addresses: [] }))
  })

  test(`an organization has at most 100 webhooks (${dialect})`, async () => {
    // An address instead of a name: nothing is looked up.
    const configs = { url: 'https://1.1.1.1/' }
    for (let i = 0; i < 100; i++) await create({ webhook_name: `n${i}` }, configs)
    await refuses(403, 'quota_exceeded', body({ webhook_name: 'one too many' }, configs))
  })

  test(`a secret that rotates is shown once, and only webhook channels have one (${dialect})`, async () => {
    await create()
    const rotated = await kura.request('POST', `${PATH}/orders/rotate-secret`)
    assert.equal(rotated.status, 200, JSON.stringify(rotated.body))
    assert.match(rotated.body.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
    assert.equal(rotated.body.previous_secret_valid_until, undefined)
    const again = await kura.request('POST', `${PATH}/orders/rotate-secret`)
    assert.ok(again.body.previous_secret_valid_until > new Date().toISOString())
    assert.equal((await kura.request('GET', `${PATH}/orders`)).body.channels[0].configs.secret, '********')
    await refuses(
      400,
      'webhook_channel_unsigned',
      { channel_index: 1 },
      'POST',
      `${PATH}/orders/rotate-secret`,
    )
    await refuses(422, 'validation_error', { secret: 'short' }, 'POST', `${PATH}/orders/rotate-secret`)
  })
}
