import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, afterEach, before, test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { sha256 } from '../../src/core/ids.ts'
import { toTimestamp } from '../../src/core/time.ts'
import { inTransaction } from '../../src/platform/db/db.ts'
import { recordEvents } from '../../src/platform/events/outbox.ts'
import { createSender, deliverWebhooksJob, purgeDeliveries } from '../../src/resources/webhooks/index.ts'
import { DIALECTS } from '../support/test-app.ts'
import { answer } from '../support/webhook-receiver.ts'
import { WEBHOOKS, type WebhooksApp, webhooksApp } from '../support/webhooks.ts'

const SECRET = `whsec_${Buffer.from('a key of thirty-two bytes, about').toString('base64')}`
const DAY_MS = 86_400_000

for (const dialect of DIALECTS) {
  let kura: WebhooksApp
  before(async () => {
    kura = await webhooksApp(dialect)
  })
  after(() => kura.close())
  afterEach(() => kura.forget())

  const db = () => kura.deps.db
  const only = async (webhook_id: string) => {
    const all = await kura.deliveries(webhook_id)
    assert.equal(all.length, 1, JSON.stringify(all))
    return all[0]
  }

  test(`an object that is created is told in the form of the contract, with its fields (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/told')
    const { object_id } = await kura.object({ title: 'a "title"', metadata: { n: 1 } })
    await kura.drain()
    const [got] = kura.receiver.at('/told')
    const { event_id, occurred_at, ...event } = got!.body
    assert.match(event_id, /^evt_[a-z0-9]{16}$/)
    assert.match(occurred_at, /^\d{4}-.*Z$/)
    assert.deepEqual(event, {
      event_type: 'object.created',
      organization_id: kura.deps.bootstrap.organizationId,
      namespace_id: got!.body.namespace_id,
      subject: { type: 'object', id: object_id },
      metadata: { title: 'a "title"', metadata: { n: 1 }, bucket_id: kura.bucket_id },
      cache_scope: { scope: 'bucket', bucket_id: kura.bucket_id },
    })
    assert.equal(got!.method, 'POST')
    assert.equal(got!.headers['content-type'], 'application/json')
    assert.equal(got!.headers['x-mixpeek-event'], 'object.created')
    assert.equal(got!.headers['x-mixpeek-signature'], undefined)
    const delivery = await only(webhook_id)
    assert.equal(got!.headers['x-mixpeek-delivery'], delivery.delivery_id)
    assert.equal(delivery.status, 'delivered')
    assert.equal(delivery.attempts.length, 1)
    assert.equal(delivery.attempts[0].response_status, 200)
    assert.equal(delivery.attempts[0].response_excerpt, 'ok')
    const detail = await kura.ok(
      kura.request('GET', `${WEBHOOKS}/${webhook_id}/deliveries/${delivery.delivery_id}`),
    )
    assert.deepEqual(detail.event, got!.body)
  })

  test(`with a secret both signatures prove the message, as independent code checks them (${dialect})`, async () => {
    await kura.webhook('/signed', { configs: { secret: SECRET, headers: { 'X-Tenant': 'acme' } } })
    await kura.object({ title: 'é' })
    await kura.drain()
    const [{ headers, raw }] = kura.receiver.at('/signed') as [(typeof kura.receiver.received)[0]]
    const checked = new Webhook(SECRET).verify(raw, headers as Record<string, string>) as { event_id: string }
    assert.equal(checked.event_id, headers['webhook-id'])
    assert.throws(() => new Webhook(SECRET).verify(`${raw} `, headers as Record<string, string>))
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-mixpeek-signature'])) ?? []
    assert.equal(v1, createHmac('sha256', SECRET).update(`${t}.${raw}`).digest('hex'))
    assert.ok(Math.abs(Number(t) - Date.now() / 1000) < 60)
    assert.equal(headers['x-tenant'], 'acme')
  })

  test(`while a secret rotates the old and the new one sign, afterwards only the new one (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/rotated', { configs: { secret: SECRET } })
    const rotate = (overlap_seconds: number) =>
      kura.ok(kura.request('POST', `${WEBHOOKS}/${webhook_id}/rotate-secret`, { body: { overlap_seconds } }))
    const { secret } = await rotate(60)
    await kura.object()
    await kura.drain()
    const [first] = kura.receiver.at('/rotated')
    for (const one of [SECRET, secret])
      new Webhook(one).verify(first!.raw, first!.headers as Record<string, string>)
    assert.equal(String(first!.headers['x-mixpeek-signature']).match(/v1=/g)?.length, 2)
    const { webhooks } = kura.deps.webhookServices
    const record = await webhooks.find({ organizationId: kura.deps.bootstrap.organizationId }, webhook_id)
    assert.equal(record.channels[0]?.channel === 'webhook' && record.channels[0].previous_secrets?.length, 1)
    // Saving it as it is shown keeps the overlap; another secret ends it.
    const shown = await kura.ok(kura.request('GET', `${WEBHOOKS}/${webhook_id}`))
    await kura.ok(kura.request('PUT', `${WEBHOOKS}/${webhook_id}`, { body: shown }))
    await kura.object()
    await kura.drain()
    new Webhook(SECRET).verify(
      kura.receiver.at('/rotated')[1]!.raw,
      kura.receiver.at('/rotated')[1]!.headers as Record<string, string>,
    )
    const { secret: newest } = await rotate(0)
    const channels = [
      {
        channel: 'webhook',
        configs: { ...shown.channels[0].configs, secret: newest.replace('whsec_', 'plain-') },
      },
    ]
    await kura.ok(kura.request('PATCH', `${WEBHOOKS}/${webhook_id}`, { body: { channels } }))
    await kura.object()
    await kura.drain()
    const third = kura.receiver.at('/rotated')[2]!
    assert.throws(() => new Webhook(secret).verify(third.raw, third.headers as Record<string, string>))
    assert.equal(String(third.headers['x-mixpeek-signature']).match(/v1=/g)?.length, 1)
  })

  test(`nothing is kept for types that nobody listens to, or while a webhook is inactive (${dialect})`, async () => {
    await kura.webhook('/deaf', { is_active: false })
    await kura.webhook('/other', { event_types: ['collection.created'] })
    await kura.object()
    assert.deepEqual(await db().selectFrom('outbox_events').selectAll().execute(), [])
    assert.deepEqual(
      await db().selectFrom('jobs').where('kind', '=', 'deliver_webhook').selectAll().execute(),
      [],
    )
  })

  test(`a change that is rolled back tells nothing (${dialect})`, async () => {
    await kura.webhook('/quiet')
    const scope = { organizationId: kura.deps.bootstrap.organizationId, namespaceId: 'ns_x' }
    const event = {
      event_type: 'object.created',
      subject: { type: 'object', id: 'obj_x' },
      metadata: {},
    } as const
    const broken = inTransaction(db(), async (trx) => {
      await recordEvents(trx, scope, [event])
      throw new Error('no')
    })
    await assert.rejects(broken, /no/)
    await kura.drain()
    assert.equal(kura.receiver.received.length, 0)
  })

  test(`a failed delivery is tried again after 10 s, with the same ids, and Retry-After prolongs (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/flaky')
    kura.receiver.on('/flaky', answer(503, { 'retry-after': '90' }, 'busy\u0000\u0007'))
    await kura.object()
    await kura.drain()
    const failed = await only(webhook_id)
    assert.equal(failed.status, 'pending')
    assert.equal(failed.error, 'The receiver answered with status 503.')
    assert.equal(failed.attempts[0].response_excerpt, 'busy')
    const wait_ms = Date.parse(failed.next_attempt_at) - Date.now()
    assert.ok(wait_ms > 85_000 && wait_ms <= 90_000, String(wait_ms))
    await kura.drain()
    assert.equal(kura.receiver.at('/flaky').length, 1)
    kura.receiver.on('/flaky', answer(500))
    await kura.comeDue()
    const again = await only(webhook_id)
    assert.ok(Math.abs(Date.parse(again.next_attempt_at) - Date.now() - 60_000) < 5000)
    kura.receiver.on('/flaky', answer(204, {}, ''))
    await kura.comeDue()
    const done = await only(webhook_id)
    assert.equal(done.status, 'delivered')
    assert.equal(done.error, undefined)
    assert.deepEqual(
      done.attempts.map((one: { response_status: number }) => one.response_status),
      [503, 500, 204],
    )
    const seen = kura.receiver.at('/flaky')
    assert.equal(new Set(seen.map(({ body }) => body.event_id)).size, 1)
    assert.equal(new Set(seen.map(({ headers }) => headers['x-mixpeek-delivery'])).size, 1)
  })

  test(`after nine attempts a delivery has failed, and can be replayed with its ids (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/down')
    kura.receiver.on('/down', answer(500))
    await kura.object()
    await kura.drain()
    for (let i = 0; i < 10; i++) await kura.comeDue()
    const failed = await only(webhook_id)
    assert.equal(failed.status, 'failed')
    assert.equal(failed.attempts.length, 9)
    assert.ok(failed.completed_at)
    kura.receiver.on('/down', answer(200))
    const path = `${WEBHOOKS}/${webhook_id}/deliveries/${failed.delivery_id}/replay`
    const replayed = await kura.ok(kura.request('POST', path))
    assert.equal(replayed.status, 'pending')
    await kura.drain()
    const done = await only(webhook_id)
    assert.equal(done.status, 'delivered')
    assert.equal(done.replay_count, 1)
    assert.equal(done.attempts.length, 10)
    assert.equal(new Set(kura.receiver.at('/down').map(({ body }) => body.event_id)).size, 1)
    const unknown = await kura.request('POST', `${WEBHOOKS}/${webhook_id}/deliveries/dlv_x/replay`)
    assert.equal(unknown.body.error.code, 'webhook_delivery_not_found')
  })

  test(`everything of a time can be replayed, and what arrived only on demand (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/range')
    for (let i = 0; i < 3; i++) await kura.object()
    await kura.drain()
    kura.receiver.on('/range', answer(410))
    await kura.object()
    await kura.drain()
    kura.receiver.on('/range', answer(200))
    const replay = (body: object) => kura.request('POST', `${WEBHOOKS}/${webhook_id}/replay`, { body })
    const since = new Date(Date.now() - DAY_MS).toISOString()
    assert.equal((await replay({ since })).body.error.code, 'webhook_inactive')
    await kura.ok(kura.request('PATCH', `${WEBHOOKS}/${webhook_id}`, { body: { is_active: true } }))
    assert.deepEqual(await kura.ok(replay({ since, until: since })), { replayed: 0, has_more: false })
    assert.deepEqual(await kura.ok(replay({ since })), { replayed: 1, has_more: false })
    await kura.drain()
    assert.deepEqual(await kura.ok(replay({ since, statuses: ['delivered'] })), {
      replayed: 4,
      has_more: false,
    })
    await kura.drain()
    assert.equal(kura.receiver.at('/range').length, 4 + 1 + 4)
    assert.equal((await replay({})).status, 422)
  })

  test(`410 switches the webhook off and cancels what waits (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/gone')
    kura.receiver.on('/gone', answer(500))
    await kura.object()
    await kura.drain()
    kura.receiver.on('/gone', answer(410))
    await kura.object()
    await kura.drain()
    const shown = await kura.ok(kura.request('GET', `${WEBHOOKS}/${webhook_id}`))
    assert.deepEqual([shown.is_active, shown.inactive_reason], [false, 'gone'])
    assert.deepEqual(
      (await kura.deliveries(webhook_id)).map(({ status }) => status),
      ['failed', 'canceled'],
    )
    await kura.object()
    assert.equal((await kura.deliveries(webhook_id)).length, 2)
    const back = await kura.ok(
      kura.request('PATCH', `${WEBHOOKS}/${webhook_id}`, { body: { is_active: true } }),
    )
    assert.equal(back.inactive_reason, undefined)
  })

  test(`a webhook that only fails for days is switched off, one success forgives (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/hopeless')
    kura.receiver.on('/hopeless', answer(500))
    const giveUpOne = async (state: object) => {
      await db().updateTable('webhooks').set(state).where('webhook_id', '=', webhook_id).execute()
      await kura.object()
      await kura.drain()
      await db()
        .updateTable('webhook_deliveries')
        .set({ attempt_count: 8 })
        .where('status', '=', 'pending')
        .execute()
      await kura.comeDue()
      return kura.ok(kura.request('GET', `${WEBHOOKS}/${webhook_id}`))
    }
    const long_ago = toTimestamp(Date.now() - 4 * DAY_MS)
    assert.equal((await giveUpOne({ failed_deliveries: 0 })).is_active, true)
    const failing = { failed_deliveries: 9, failing_since: long_ago }
    kura.receiver.on('/hopeless', answer(200))
    assert.equal((await giveUpOne(failing)).is_active, true)
    kura.receiver.on('/hopeless', answer(500))
    assert.equal((await giveUpOne({ failed_deliveries: 9 })).is_active, true, 'not long enough')
    assert.equal((await giveUpOne(failing)).inactive_reason, 'failing')
  })

  test(`one receiver that hangs delays no other (${dialect})`, async () => {
    kura.receiver.on('/hangs', () => undefined)
    await kura.webhook('/hangs', { configs: { timeout: 3 } })
    await kura.webhook('/healthy')
    for (let i = 0; i < 12; i++) await kura.object({ title: `${i}` })
    const start_ms = Date.now()
    const drained = kura.drain()
    await kura.receiver.arrived(12, '/healthy')
    const took_ms = Date.now() - start_ms
    assert.equal(kura.receiver.at('/healthy').length, 12)
    assert.ok(took_ms < 2500, `${took_ms} ms`)
    assert.ok(kura.receiver.at('/hangs').length <= 4, 'as many at once as a webhook may have')
    // What a second change brings is told while the first still hangs.
    await kura.object({ title: 'later' })
    await kura.receiver.arrived(13, '/healthy', 1500)
    assert.equal(kura.receiver.at('/healthy').length, 13)
    kura.receiver.on('/hangs', answer(200))
    await drained
  })

  test(`a worker that dies in the middle loses nothing: the next one sends it again with its ids (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/crash', { configs: { timeout: 20 } })
    kura.receiver.on('/crash', () => undefined)
    await kura.object()
    const { queue, secrets, http, config } = kura.deps
    const deps = { db: db(), queue, secrets, sender: createSender(http, config) }
    const job = await queue.lease('dead-worker', 'quick')
    const death = new AbortController()
    const run = deliverWebhooksJob(deps)(job!, death.signal)
    await kura.receiver.arrived(1, '/crash')
    // Others step back for as long as the job of the first one exists.
    await kura.object()
    const second = await queue.lease('other-worker', 'quick')
    await deliverWebhooksJob(deps)(second!, new AbortController().signal)
    death.abort(new Error('killed'))
    await assert.rejects(run, /killed/)
    assert.equal((await kura.deliveries(webhook_id)).at(-1)!.attempts.length, 0)
    kura.receiver.on('/crash', answer(200))
    await queue.expireLeases(['dead-worker'])
    await kura.drain()
    const all = await kura.deliveries(webhook_id)
    assert.deepEqual(
      all.map(({ status }) => status),
      ['delivered', 'delivered'],
    )
    const [first, again] = kura.receiver.at('/crash')
    assert.equal(first!.headers['x-mixpeek-delivery'], again!.headers['x-mixpeek-delivery'])
    assert.equal(first!.body.event_id, again!.body.event_id)
  })

  test(`retries leave few jobs behind, however many deliveries wait (${dialect})`, async () => {
    await kura.webhook('/waiting')
    kura.receiver.on('/waiting', answer(500))
    for (let i = 0; i < 5; i++) {
      await kura.object()
      await kura.drain()
    }
    const jobs = await db().selectFrom('jobs').where('kind', '=', 'deliver_webhook').selectAll().execute()
    assert.equal(jobs.length, 1)
  })

  test(`a payload template makes the body, from all members of the event (${dialect})`, async () => {
    const payload_template = {
      text: 'New: {{ event.metadata.title }} in {{ metadata.bucket_id }}',
      event: '{{ event_type }}',
      raw: '{{ event.metadata }}',
      list: ['{{ event.subject.id }}', 1],
      absent: '{{ event.metadata.nothing }}',
    }
    await kura.webhook('/template', { configs: { payload_template } })
    const { object_id } = await kura.object({ title: 'a "quoted" title' })
    await kura.drain()
    assert.deepEqual(kura.receiver.at('/template')[0]!.body, {
      text: `New: a "quoted" title in ${kura.bucket_id}`,
      event: 'object.created',
      raw: { title: 'a "quoted" title', bucket_id: kura.bucket_id },
      list: [object_id, 1],
    })
  })

  test(`a test sends one event to every channel now, and is in the log (${dialect})`, async () => {
    kura.receiver.on('/tested-2', answer(404, {}, 'no such page'))
    const channels = ['/tested-1', '/tested-2'].map((path) => ({
      channel: 'webhook',
      configs: { url: kura.receiver.url(path), secret: SECRET },
    }))
    const { webhook_id } = await kura.webhook('', { channels, is_active: false })
    const result = await kura.ok(kura.request('POST', `${WEBHOOKS}/${webhook_id}/test`))
    assert.equal(result.success, false)
    assert.deepEqual(
      result.results.map((one: { status: string; channel_index: number }) => [one.channel_index, one.status]),
      [
        [0, 'delivered'],
        [1, 'failed'],
      ],
    )
    assert.equal(result.results[1].attempts[0].response_excerpt, 'no such page')
    const [{ body, raw, headers }] = kura.receiver.at('/tested-1') as [(typeof kura.receiver.received)[0]]
    new Webhook(SECRET).verify(raw, headers as Record<string, string>)
    assert.deepEqual(body.metadata, { test: true })
    assert.equal((await kura.deliveries(webhook_id, `?event_id=${body.event_id}`)).length, 2)
    await kura.drain()
    assert.equal(kura.receiver.received.length, 2, 'it is not retried')
  })

  test(`the log is filtered, and paged by a cursor (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/log', { event_types: ['object.created', 'object.deleted'] })
    const made = []
    for (let i = 0; i < 5; i++) made.push(await kura.object())
    await kura.request('DELETE', `/v1/buckets/${kura.bucket_id}/objects/${made[0].object_id}`)
    await kura.drain()
    assert.equal((await kura.deliveries(webhook_id, '?event_type=object.deleted')).length, 1)
    assert.equal((await kura.deliveries(webhook_id, '?status=failed')).length, 0)
    const seen: string[] = []
    let cursor = ''
    do {
      const page = await kura.ok(
        kura.request('GET', `${WEBHOOKS}/${webhook_id}/deliveries?limit=4&cursor=${cursor}`),
      )
      seen.push(...page.results.map((one: { delivery_id: string }) => one.delivery_id))
      cursor = page.pagination.next_cursor ?? ''
    } while (cursor !== '')
    assert.equal(seen.length, 6)
    assert.equal(new Set(seen).size, 6)
  })

  test(`deliveries and events go after 30 days, those that wait stay (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/old')
    await kura.object()
    await kura.drain()
    kura.receiver.on('/old', answer(500))
    await kura.object()
    await kura.drain()
    await kura.object()
    await kura.drain()
    const long_ago = toTimestamp(Date.now() - 31 * DAY_MS)
    const newest = (await kura.deliveries(webhook_id))[0]!
    await db()
      .updateTable('webhook_deliveries')
      .set({ created_at: long_ago })
      .where('delivery_id', '!=', newest.delivery_id)
      .execute()
    await db()
      .updateTable('outbox_events')
      .set({ occurred_at: long_ago, handed_over_at: long_ago })
      .where('event_id', '!=', newest.event_id)
      .execute()
    await purgeDeliveries(db())
    assert.deepEqual(
      (await kura.deliveries(webhook_id)).map(({ status }) => status),
      ['pending', 'pending'],
    )
    assert.equal((await db().selectFrom('outbox_events').selectAll().execute()).length, 2)
  })

  test(`what is delivered while more is looked for is sent once (${dialect})`, async () => {
    await kura.webhook('/burst')
    for (let i = 0; i < 60; i++) await kura.object({ title: `${i}` })
    await kura.drain()
    const ids = kura.receiver.at('/burst').map(({ body }) => body.event_id)
    assert.deepEqual([ids.length, new Set(ids).size], [60, 60])
  })

  test(`an event that was handed over late stays until it is delivered (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/late')
    kura.receiver.on('/late', answer(500))
    await kura.object({ title: 'late' })
    await db()
      .updateTable('outbox_events')
      .set({ occurred_at: toTimestamp(Date.now() - 31 * DAY_MS) })
      .execute()
    await kura.drain()
    await purgeDeliveries(db())
    assert.equal((await only(webhook_id)).status, 'pending')
    assert.equal((await db().selectFrom('outbox_events').selectAll().execute()).length, 1)
  })

  test(`only administrators see and change webhooks (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/admin')
    const key = 'sk_member_0123456789abcdef'
    await insertKey(kura, key, 'delete')
    for (const [method, path] of [
      ['POST', ''],
      ['GET', ''],
      ['POST', '/list'],
      ['GET', `/${webhook_id}`],
      ['PUT', `/${webhook_id}`],
      ['PATCH', `/${webhook_id}`],
      ['DELETE', `/${webhook_id}`],
      ['POST', `/${webhook_id}/test`],
      ['POST', `/${webhook_id}/replay`],
      ['POST', `/${webhook_id}/rotate-secret`],
      ['GET', `/${webhook_id}/deliveries`],
      ['GET', `/${webhook_id}/deliveries/dlv_x`],
      ['POST', `/${webhook_id}/deliveries/dlv_x/replay`],
    ] as const)
      assert.equal((await kura.request(method, WEBHOOKS + path, { key })).status, 403, `${method} ${path}`)
  })
}

/** A key of the same organization that is allowed less. */
async function insertKey({ deps }: WebhooksApp, key: string, permission: string): Promise<void> {
  const row = await deps.db.selectFrom('api_keys').selectAll().executeTakeFirstOrThrow()
  await deps.db
    .insertInto('api_keys')
    .values({
      ...row,
      key_id: `key_${permission}`,
      key_hash: sha256(key),
      name: permission,
      permissions: JSON.stringify([permission]),
    })
    .execute()
}
