import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import { toTimestamp } from '../../src/core/time.ts'
import { mixpeekSignature, standardSignature } from '../../src/core/webhook-signature.ts'
import { purgeSourceEvents } from '../../src/resources/source-adapters/index.ts'
import { DIALECTS, type TestResponse } from '../support/test-app.ts'
import { answer } from '../support/webhook-receiver.ts'
import { type WebhooksApp, webhooksApp } from '../support/webhooks.ts'

const SECRET = `whsec_${Buffer.from('a key of thirty-two bytes, about').toString('base64')}`
const SCHEMA = { properties: { title: { type: 'string' }, note: { type: 'text' } } }

for (const dialect of DIALECTS) {
  let kura: WebhooksApp
  let count = 0
  before(async () => {
    kura = await webhooksApp(dialect)
  })
  after(() => kura.close())

  async function bucket(source_adapter: object, more: object = {}): Promise<string> {
    const body = { bucket_name: `in-${count++}`, bucket_schema: SCHEMA, source_adapter, ...more }
    return (await kura.ok(kura.request('POST', '/v1/buckets', { body }))).bucket_id
  }
  const signed = { type: 'json', auth: { method: 'signature', secret: SECRET } }
  const pathOf = (bucket_id: string) => `/v1/buckets/${bucket_id}/source-adapter/events`

  function send(bucket_id: string, body: unknown, headers: Record<string, string>): Promise<TestResponse> {
    return kura.request('POST', pathOf(bucket_id), { raw: JSON.stringify(body), headers, key: null })
  }
  function standard(
    body: unknown,
    { id = 'msg_1', secret = SECRET, age_s = 0 } = {},
  ): Record<string, string> {
    const timestamp_seconds = Math.floor(Date.now() / 1000) - age_s
    return {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp_seconds),
      'webhook-signature': standardSignature([secret], { id, timestamp_seconds, body: JSON.stringify(body) }),
    }
  }
  const hub = (body: unknown): Record<string, string> => ({
    'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(JSON.stringify(body)).digest('hex')}`,
  })
  const mixpeek = (body: unknown): Record<string, string> => ({
    'x-mixpeek-signature': mixpeekSignature([SECRET], {
      id: '',
      timestamp_seconds: Math.floor(Date.now() / 1000),
      body: JSON.stringify(body),
    }),
  })
  const objects = async (bucket_id: string) =>
    (await kura.ok(kura.request('POST', `/v1/buckets/${bucket_id}/objects/list`, { body: {} }))).results
  const events = async (bucket_id: string, query = '') =>
    (await kura.ok(kura.request('GET', pathOf(bucket_id) + query))).results
  const push = (bucket_id: string, body: unknown) =>
    kura.ok(kura.request('POST', `${pathOf(bucket_id)}/push`, { body }), 202)

  test(`a signed event becomes an object, and the same event twice makes one (${dialect})`, async () => {
    const bucket_id = await bucket(signed)
    const body = { title: 'first' }
    const first = await send(bucket_id, body, standard(body))
    assert.equal(first.status, 202, JSON.stringify(first.body))
    assert.deepEqual([first.body.accepted, first.body.duplicates], [1, 0])
    const again = await send(bucket_id, body, standard(body))
    assert.deepEqual([again.body.accepted, again.body.duplicates], [0, 1])
    await kura.drain()
    const third = await send(bucket_id, body, standard(body))
    assert.equal(third.body.duplicates, 1)
    await kura.drain()
    const [object, ...others] = await objects(bucket_id)
    assert.equal(object.title, 'first')
    assert.deepEqual(others, [])
    const [event] = await events(bucket_id)
    assert.deepEqual(
      [event.status, event.object_id, event.event_id],
      ['processed', object.object_id, 'msg_1'],
    )
  })

  test(`a hundred senders of one event at once make one object (${dialect})`, async () => {
    const bucket_id = await bucket(signed)
    const body = { title: 'race' }
    const all = await Promise.all(Array.from({ length: 100 }, () => send(bucket_id, body, standard(body))))
    assert.equal(
      all.reduce((sum, { body: { accepted } }) => sum + accepted, 0),
      1,
    )
    await kura.drain()
    assert.equal((await objects(bucket_id)).length, 1)
  })

  test(`every scheme of signature is taken, with the old secret while it changes (${dialect})`, async () => {
    const old = 'an old secret of theirs'
    const bucket_id = await bucket({ type: 'json', auth: { ...signed.auth, previous_secret: old } })
    const body = { title: 'x' }
    for (const headers of [standard(body, { id: 'a', secret: old }), mixpeek(body), hub(body)])
      assert.equal((await send(bucket_id, body, headers)).status, 202)
    await kura.drain()
    assert.equal((await objects(bucket_id)).length, 2, 'two of them name no event but its bytes')
  })

  test(`a signed request that somebody sends again is a duplicate, whatever id is put beside it (${dialect})`, async () => {
    const bucket_id = await bucket(signed)
    const body = { title: 'replayed' }
    const ids = (id: string) => ({ 'x-github-delivery': id, 'x-mixpeek-delivery': id })
    for (const signature of [hub(body), mixpeek(body), standard(body)])
      for (const id of ['a', 'b', 'c']) {
        const named = { ...ids(id), ...('webhook-id' in signature ? {} : { 'webhook-id': id }), ...signature }
        assert.equal((await send(bucket_id, body, named)).status, 202)
      }
    await kura.drain()
    assert.equal((await objects(bucket_id)).length, 2, 'one by its bytes, one by its signed id')
    const keyed = await bucket({ type: 'json' })
    for (const id of ['a', 'b'])
      await kura.ok(kura.request('POST', `${pathOf(keyed)}/push`, { body, headers: ids(id) }), 202)
    await kura.drain()
    assert.equal((await objects(keyed)).length, 2, 'who has a key may say which event it is')
  })

  test(`secrets in headers are taken: bearer, basic and one of its own (${dialect})`, async () => {
    const secret = 'a-secret-in-a-header'
    const bearer = await bucket({ type: 'json', auth: { method: 'bearer', secret } })
    const own = await bucket({ type: 'json', auth: { method: 'header', header: 'X-Token', secret } })
    const basic = `Basic ${Buffer.from(`anybody:${secret}`).toString('base64')}`
    assert.equal((await send(bearer, { title: 'a' }, { authorization: `Bearer ${secret}` })).status, 202)
    assert.equal((await send(bearer, { title: 'b' }, { authorization: basic })).status, 202)
    assert.equal((await send(own, { title: 'c' }, { 'x-token': secret })).status, 202)
    assert.equal((await send(own, { title: 'd' }, { 'x-token': `${secret}!` })).status, 401)
    assert.equal((await send(bearer, { title: 'e' }, {})).status, 401)
  })

  test(`events with a wrong proof are 401, leave nothing, tell nothing, and are throttled (${dialect})`, async () => {
    const bucket_id = await bucket(signed)
    const keyed = await bucket({ type: 'json' })
    const plain = await bucket({ provider: 'anything', webhook: true })
    const body = { title: 'forged' }
    const from = (n: number) => ({ remoteAddress: `192.0.2.${n}` })
    const attempt = async (
      id: string,
      headers: Record<string, string>,
      n: number,
      text = JSON.stringify(body),
    ) => {
      const response = await kura.app.inject({
        method: 'POST',
        url: pathOf(id),
        headers: { 'content-type': 'application/json', ...headers },
        payload: text,
        ...from(n),
      })
      return { status: response.statusCode, headers: response.headers, body: response.json() }
    }
    const answers = [
      await attempt(bucket_id, {}, 1),
      await attempt(bucket_id, standard(body, { secret: 'another secret here' }), 1),
      await attempt(bucket_id, standard(body, { age_s: 301 }), 1),
      await attempt(bucket_id, standard(body, { age_s: -301 }), 1),
      await attempt(bucket_id, standard(body), 1, JSON.stringify({ title: 'changed' })),
      await attempt(bucket_id, standard(body), 1, '{"title": broken'),
      await attempt(keyed, standard(body), 1),
      await attempt(plain, standard(body), 1),
      await attempt('bkt_unknown', standard(body), 1),
    ]
    for (const { status, body: refused } of answers) {
      assert.equal(status, 401)
      assert.equal(refused.error.code, 'event_not_authentic')
    }
    assert.deepEqual(await events(bucket_id), [])
    for (let i = 0; i < 20; i++) await attempt(bucket_id, {}, 2)
    const throttled = await attempt(bucket_id, standard(body), 2)
    assert.equal(throttled.status, 429)
    assert.ok(Number(throttled.headers['retry-after']) >= 1)
    assert.equal((await attempt(bucket_id, standard(body), 3)).status, 202, 'other addresses are not')
  })

  test(`events that are too large, broken or for a closed bucket are refused (${dialect})`, async () => {
    const bucket_id = await bucket(signed)
    const large = { title: 'x'.repeat(1024 * 1024) }
    assert.equal((await send(bucket_id, large, standard(large))).status, 413)
    const many = Array.from({ length: 1001 }, (_, i) => ({ title: `${i}` }))
    assert.equal((await send(bucket_id, many, standard(many))).body.error.code, 'event_too_large')
    const id = 'broken'
    const timestamp_seconds = Math.floor(Date.now() / 1000)
    const broken = await kura.request('POST', pathOf(bucket_id), {
      raw: '{"a":',
      key: null,
      headers: {
        'webhook-id': id,
        'webhook-timestamp': String(timestamp_seconds),
        'webhook-signature': standardSignature([SECRET], { id, timestamp_seconds, body: '{"a":' }),
      },
    })
    assert.equal(broken.status, 422)
    const change = (body: object) => kura.ok(kura.request('PATCH', `/v1/buckets/${bucket_id}`, { body }))
    await change({ is_locked: true })
    const body = { title: 'late' }
    assert.equal((await send(bucket_id, body, standard(body))).status, 403)
    await change({ is_locked: false, source_adapter: { ...signed, enabled: false } })
    assert.equal((await send(bucket_id, body, standard(body))).body.error.code, 'source_adapter_disabled')
    assert.deepEqual(await events(bucket_id), [])
  })

  test(`secrets are sealed and shown masked, and stay when they come back masked (${dialect})`, async () => {
    const bucket_id = await bucket(signed)
    const shown = await kura.ok(kura.request('GET', `/v1/buckets/${bucket_id}`))
    assert.match(shown.source_adapter.auth.secret, /^\*+$/)
    const rows = await kura.deps.db.selectFrom('source_adapters').selectAll().execute()
    assert.ok(!JSON.stringify(rows).includes(SECRET))
    const back = { source_adapter: { ...shown.source_adapter, auto_process: false } }
    await kura.ok(kura.request('PATCH', `/v1/buckets/${bucket_id}`, { body: back }))
    const body = { title: 'still' }
    assert.equal((await send(bucket_id, body, standard(body))).status, 202)
    const refused = await kura.request('POST', '/v1/buckets', {
      body: { bucket_name: 'masked', bucket_schema: SCHEMA, source_adapter: shown.source_adapter },
    })
    assert.equal(refused.status, 422)
    await kura.ok(kura.request('PATCH', `/v1/buckets/${bucket_id}`, { body: { source_adapter: null } }))
    assert.equal((await send(bucket_id, body, standard(body, { id: 'later' }))).status, 401)
  })

  test(`mapped fields that are named like secrets stay what they were when they come back masked (${dialect})`, async () => {
    const fields = {
      title: 'data.title',
      api_token: 'data.token',
      session: { value: { secret: 'constant' } },
      stars: { value: '********' },
    }
    const schema = { properties: { ...SCHEMA.properties, api_token: { type: 'string' } } }
    const bucket_id = await bucket({ type: 'json', fields }, { bucket_schema: schema })
    const shown = await kura.ok(kura.request('GET', `/v1/buckets/${bucket_id}`))
    assert.match(shown.source_adapter.fields.api_token, /^\*{40}$/)
    const back = { source_adapter: { ...shown.source_adapter, enabled: true } }
    await kura.ok(kura.request('PATCH', `/v1/buckets/${bucket_id}`, { body: back }))
    await push(bucket_id, { data: { title: 'a', token: 'b' } })
    await kura.drain()
    const [object] = await objects(bucket_id)
    assert.deepEqual(
      [object.title, object.api_token, object.session, object.stars],
      ['a', 'b', { secret: 'constant' }, '********'],
    )
    for (const masked of [{ other_token: '*'.repeat(40) }, { x: { value: { secret: '*'.repeat(40) } } }]) {
      const body = { source_adapter: { type: 'json', fields: masked } }
      const refused = await kura.request('PATCH', `/v1/buckets/${bucket_id}`, { body })
      assert.equal(refused.status, 422, JSON.stringify(refused.body))
      assert.deepEqual(refused.body.detail[0].loc.slice(0, 3), ['body', 'source_adapter', 'fields'])
    }
  })

  test(`adapters that cannot work are refused when they are saved, unknown ones are kept (${dialect})`, async () => {
    for (const source_adapter of [
      { type: 'json', auth: { method: 'signature', secret: 'short' } },
      { type: 'json', auth: { method: 'magic', secret: SECRET } },
      { type: 'json', auth: { method: 'header', secret: SECRET } },
      { type: 'json', removed: { path: 'x', values: [1] } },
      { type: 's3_notifications', url_template: 'file:///etc/passwd' },
      { type: 's3_notifications', on_removed: 'archive' },
    ]) {
      const refused = await kura.request('POST', '/v1/buckets', {
        body: { bucket_name: 'never', bucket_schema: SCHEMA, source_adapter },
      })
      assert.equal(refused.status, 422, JSON.stringify(source_adapter))
      assert.deepEqual(refused.body.detail[0].loc.slice(0, 2), ['body', 'source_adapter'])
    }
    const bucket_id = await bucket({ type: 'gdrive', folder: 'x', api_key: 'hidden' })
    const shown = await kura.ok(kura.request('GET', `/v1/buckets/${bucket_id}`))
    assert.deepEqual([shown.source_adapter.type, shown.source_adapter.folder], ['gdrive', 'x'])
    assert.ok(!JSON.stringify(shown).includes('hidden'))
    const refused = await kura.request('POST', `${pathOf(bucket_id)}/push`, { body: {} })
    assert.equal(refused.body.error.code, 'source_adapter_not_found')
  })

  const record = (key: string, sequencer: string, eventName = 'ObjectCreated:Put') => ({
    eventName,
    eventTime: '2026-01-01T00:00:00.000Z',
    s3: { bucket: { name: 'media' }, object: { key, sequencer, eTag: sequencer } },
  })
  const s3 = (more: object = {}) => ({
    type: 's3_notifications',
    property: 'note',
    url_template: kura.receiver.url('/{bucket}/{key}'),
    fields: { title: 's3.object.sequencer' },
    ...more,
  })
  const textOf = async (bucket_id: string) =>
    (await objects(bucket_id)).map((one: { title: string }) => one.title)

  test(`notifications of S3 fetch files, change what they made, and remove it by policy (${dialect})`, async () => {
    kura.receiver.on('/media/a%20b.txt', answer(200, { 'content-type': 'text/plain' }, 'some text'))
    const bucket_id = await bucket(s3({ on_removed: 'delete' }))
    await push(bucket_id, { Records: [record('a+b.txt', '01')] })
    await kura.drain()
    const [made] = await objects(bucket_id)
    assert.equal(made.blobs[0].details.size_bytes, 9)
    await push(bucket_id, { Records: [record('a+b.txt', '02')] })
    await kura.drain()
    const [changed, ...others] = await objects(bucket_id)
    assert.deepEqual(others, [])
    assert.deepEqual([changed.object_id, changed.title], [made.object_id, '02'])
    await push(bucket_id, { Records: [record('a+b.txt', '03', 'ObjectRemoved:Delete')] })
    await kura.drain()
    assert.deepEqual(await objects(bucket_id), [])
    // And it comes back as a new object.
    await push(bucket_id, { Records: [record('a+b.txt', '04')] })
    await kura.drain()
    assert.deepEqual(await textOf(bucket_id), ['04'])
  })

  test(`events out of order end in the same state: the newest one wins (${dialect})`, async () => {
    kura.receiver.on('/media/k', answer(200, { 'content-type': 'text/plain' }, 'text'))
    const bucket_id = await bucket(s3({ on_removed: 'delete' }))
    for (const [sequencer, name] of [
      ['05', 'ObjectCreated:Put'],
      ['03', 'ObjectCreated:Copy'],
      ['04', 'ObjectRemoved:Delete'],
    ] as const) {
      await push(bucket_id, { Records: [record('k', sequencer, name)] })
      await kura.drain()
    }
    assert.deepEqual(await textOf(bucket_id), ['05'])
    const statuses = (await events(bucket_id)).map(({ status }: { status: string }) => status)
    assert.deepEqual(statuses, ['ignored', 'ignored', 'processed'])
    // The removal comes before the creation that it follows.
    await push(bucket_id, { Records: [record('gone', '09', 'ObjectRemoved:Delete'), record('gone', '08')] })
    kura.receiver.on('/media/gone', answer(200, { 'content-type': 'text/plain' }, 'text'))
    await kura.drain()
    assert.deepEqual(await textOf(bucket_id), ['05'])
  })

  test(`the envelope of Amazon SNS is opened, its confirmation goes to Amazon only (${dialect})`, async () => {
    kura.receiver.on('/media/sns', answer(200, { 'content-type': 'text/plain' }, 'text'))
    const bucket_id = await bucket(s3())
    const envelope = {
      Type: 'Notification',
      MessageId: 'm-1',
      Message: JSON.stringify({ Records: [record('sns', '01')] }),
    }
    assert.equal((await push(bucket_id, envelope)).accepted, 1)
    await kura.drain()
    assert.equal((await objects(bucket_id)).length, 1)
    const confirmation = { Type: 'SubscriptionConfirmation', SubscribeURL: kura.receiver.url('/confirm') }
    const refused = await kura.request('POST', `${pathOf(bucket_id)}/push`, { body: confirmation })
    assert.equal(refused.body.error.code, 'url_not_allowed')
    assert.equal(kura.receiver.at('/confirm').length, 0)
    const noJson = await kura.request('POST', `${pathOf(bucket_id)}/push`, {
      body: { ...envelope, Message: 'hello' },
    })
    assert.equal(noJson.status, 422)
    const nul = await kura.request('POST', `${pathOf(bucket_id)}/push`, {
      body: { ...envelope, Message: '{"Records":["\\u0000"]}' },
    })
    assert.equal(nul.status, 422)
  })

  test(`a file that is not there is tried again, then failed with its reason, and can be replayed (${dialect})`, async () => {
    kura.receiver.on('/media/late', answer(404))
    const bucket_id = await bucket(s3())
    await push(bucket_id, { Records: [record('late', '01')] })
    await kura.drain()
    const [pending] = await events(bucket_id)
    assert.deepEqual([pending.status, pending.attempt_count], ['pending', 1])
    for (let i = 0; i < 4; i++) {
      await kura.deps.db
        .updateTable('jobs')
        .set({ run_at: toTimestamp(0) })
        .where('kind', '=', 'take_source_events')
        .execute()
      await kura.drain()
    }
    const [failed] = await events(bucket_id, '?status=failed')
    assert.equal(failed.attempt_count, 5)
    assert.match(failed.error, /status 404/)
    kura.receiver.on('/media/late', answer(200, { 'content-type': 'text/plain' }, 'here now'))
    await kura.ok(kura.request('POST', `${pathOf(bucket_id)}/${failed.event_key}/replay`))
    await kura.drain()
    assert.equal((await objects(bucket_id)).length, 1)
    const again = await kura.request('POST', `${pathOf(bucket_id)}/${failed.event_key}/replay`)
    assert.equal(again.body.error.code, 'source_event_not_failed')
    const unknown = await kura.request('POST', `${pathOf(bucket_id)}/nothing/replay`)
    assert.equal(unknown.body.error.code, 'source_event_not_found')
  })

  test(`an item that breaks the schema fails alone, and at once (${dialect})`, async () => {
    const bucket_id = await bucket({ type: 'json' })
    await push(bucket_id, [{ title: 'good' }, { title: 7 }, { title: 'fine' }])
    await kura.drain()
    assert.deepEqual((await textOf(bucket_id)).sort(), ['fine', 'good'])
    const [failed, ...others] = await events(bucket_id, '?status=failed')
    assert.deepEqual(others, [])
    assert.match(failed.error, /title/)
  })

  test(`a worker that dies takes an event in once (${dialect})`, async () => {
    const bucket_id = await bucket({ type: 'json' })
    await push(bucket_id, [{ title: 'a' }, { title: 'b' }])
    const { queue } = kura.deps
    const { createJobHandlers } = await import('../../src/engine.ts')
    const handler = createJobHandlers(kura.deps).take_source_events!
    const job = (await queue.lease('dead', 'transfer'))!
    // It has done everything but could not say so.
    await handler({ ...job, lease_token: 'lost' }, new AbortController().signal).catch(() => undefined)
    assert.equal((await objects(bucket_id)).length, 2)
    await queue.expireLeases(['dead'])
    await kura.drain()
    assert.equal((await objects(bucket_id)).length, 2)
  })

  test(`with auto_process what comes in is submitted (${dialect})`, async () => {
    const bucket_id = await bucket({ type: 'json', auto_process: true })
    const body = {
      collection_name: `c-${bucket_id}`,
      source: { type: 'bucket', bucket_ids: [bucket_id] },
      feature_extractor: {
        feature_extractor_name: 'text_extractor',
        version: 'v1',
        input_mappings: { text: 'note' },
      },
    }
    const { collection_id } = await kura.ok(kura.request('POST', '/v1/collections', { body }))
    await push(bucket_id, { title: 'a', note: 'a text' })
    await kura.drain()
    const list = await kura.ok(
      kura.request('POST', `/v1/collections/${collection_id}/documents/list`, { body: {} }),
    )
    assert.equal(list.results.length, 1)
  })

  test(`events are forgotten after 30 days, those that wait stay (${dialect})`, async () => {
    const bucket_id = await bucket({ type: 'json' })
    await push(bucket_id, { title: 'a' })
    await kura.drain()
    await push(bucket_id, { title: 'b' })
    const received_at = toTimestamp(Date.now() - 31 * 86_400_000)
    await kura.deps.db.updateTable('source_adapter_events').set({ received_at }).execute()
    await purgeSourceEvents(kura.deps.db)
    assert.deepEqual(
      (await events(bucket_id)).map(({ status }: { status: string }) => status),
      ['pending'],
    )
    await kura.drain()
  })
}
