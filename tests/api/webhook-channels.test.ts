import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, test } from 'node:test'
import { SMTPServer } from 'smtp-server'
import { sendSlack } from '../../src/resources/webhooks/send-slack.ts'
import { answer } from '../support/webhook-receiver.ts'
import { WEBHOOKS, type WebhooksApp, webhooksApp } from '../support/webhooks.ts'

type Mail = { from: string; to: string[]; text: string }

const mails: Mail[] = []
let refusal: string | null = null
let smtp: SMTPServer
let kura: WebhooksApp

before(async () => {
  smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo: (_address, _session, callback) =>
      callback(refusal ? Object.assign(new Error(refusal), { responseCode: 550 }) : undefined),
    onData(stream, session, callback) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk) => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString('utf8'),
        })
        callback()
      })
    },
  })
  smtp.listen(0, '127.0.0.1')
  await once(smtp.server, 'listening')
  const { port } = smtp.server.address() as AddressInfo
  kura = await webhooksApp('sqlite', {
    KURA_SMTP_URL: `smtp://127.0.0.1:${port}`,
    KURA_SMTP_FROM: 'Kura <kura@example.com>',
  })
})
after(async () => {
  await kura.close()
  await new Promise<void>((resolve) => smtp.close(() => resolve()))
})
afterEach(async () => {
  mails.length = 0
  refusal = null
  await kura.forget()
})

const withChannel = (channel: string, configs: object) =>
  kura.webhook('', { channels: [{ channel, configs }] })

test('an e-mail goes to all addresses, with the event in it and the id of the delivery', async () => {
  const { webhook_id } = await withChannel('email', {
    to_addresses: ['a@example.com'],
    cc_addresses: ['c@example.com'],
    bcc_addresses: ['b@example.com'],
    subject_template: 'New: {{ event.metadata.title }}',
    content_type: 'plain_text',
    body_template: 'It is {{ event.subject.id }}.',
  })
  const { object_id } = await kura.object({ title: 'first\r\nBcc: evil@example.com' })
  await kura.drain()
  const [delivery] = await kura.deliveries(webhook_id)
  assert.equal(delivery.status, 'delivered', JSON.stringify(delivery))
  const [mail] = mails
  assert.equal(mail!.from, 'kura@example.com')
  assert.deepEqual(mail!.to.sort(), ['a@example.com', 'b@example.com', 'c@example.com'])
  assert.ok(mail!.text.includes(`It is ${object_id}.`))
  assert.match(mail!.text, /^Subject: New: first.*$/m)
  assert.ok(!/^Bcc:/m.test(mail!.text), 'a field of a user makes no header')
  assert.ok(mail!.text.includes(`<${delivery.delivery_id}@kura>`))
})

test('fields of users stay text in an HTML e-mail, with a template and without', async () => {
  for (const body_template of ['<b>{{ event.metadata.title }}</b>', null]) {
    await withChannel('email', { to_addresses: ['a@example.com'], body_template })
    await kura.object({ title: '<script>1</script>' })
    await kura.drain()
    const [mail] = mails
    assert.match(mail!.text, /text\/html/)
    assert.ok(!mail!.text.includes('<script>'))
    assert.ok(mail!.text.includes('&lt;script&gt;'))
    await kura.forget()
    mails.length = 0
  }
})

test('a mail server that refuses is a failed attempt that is tried again', async () => {
  refusal = 'no such mailbox'
  const { webhook_id } = await withChannel('email', { to_addresses: ['a@example.com'] })
  await kura.object()
  await kura.drain()
  const [failed] = await kura.deliveries(webhook_id)
  assert.equal(failed.status, 'pending')
  assert.match(failed.error, /refused/)
  refusal = null
  await kura.comeDue()
  assert.equal((await kura.deliveries(webhook_id))[0].status, 'delivered')
})

test('a template that cannot be rendered is a failed attempt with its reason', async () => {
  const { webhook_id } = await withChannel('slack', {
    webhook_url: kura.receiver.url('/slack'),
    blocks_template: 'no JSON: {{ event.event_type }}',
  })
  await kura.object()
  await kura.drain()
  assert.match((await kura.deliveries(webhook_id))[0].error, /blocks_template does not give JSON/)
})

test('Slack gets a text and blocks, and its address is not shown', async () => {
  const { channels } = await withChannel('slack', {
    webhook_url: kura.receiver.url('/services/T1/B1/hidden'),
    username: 'kura',
    blocks_template: '[{"type":"section","text":{"type":"mrkdwn","text":"{{ event.event_type }}"}}]',
  })
  assert.equal(channels[0].configs.webhook_url, kura.receiver.url('/services/T1/B1/********'))
  const { object_id } = await kura.object()
  await kura.drain()
  assert.deepEqual(kura.receiver.at('/services/T1/B1/hidden')[0]!.body, {
    text: `object.created: object ${object_id}`,
    username: 'kura',
    blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'object.created' } }],
  })
})

test('a bot posts through the Web API, whose 200 may be a refusal', async () => {
  const event = { event_type: 'object.created', subject: { type: 'object', id: 'obj_1' } }
  const sent: { url: string; body: unknown; headers: Record<string, string> }[] = []
  const post = async (text: string) => {
    kura.receiver.on('/api', answer(200, {}, text))
    const http = {
      request: (url: string, options: { body?: unknown; headers?: Record<string, string> }) => {
        sent.push({ url, body: JSON.parse(String(options.body)), headers: options.headers ?? {} })
        return kura.deps.http.request(kura.receiver.url('/api'), options as never)
      },
    }
    return sendSlack({ http, allows_http: false } as never, { bot_token: 'xoxb-1', channel_id: 'C1' }, {
      delivery_id: 'dlv_1',
      event,
      signal: new AbortController().signal,
    } as never)
  }
  assert.equal((await post('{"ok":true,"ts":"1"}')).is_success, true)
  assert.equal((await post('{"ok":false,"error":"channel_not_found"}')).is_success, false)
  assert.equal(sent[0]!.url, 'https://slack.com/api/chat.postMessage')
  assert.equal(sent[0]!.headers.authorization, 'Bearer xoxb-1')
  assert.deepEqual(sent[0]!.body, { text: 'object.created: object obj_1', channel: 'C1' })
})

test('each channel of a webhook is delivered, and tried again, on its own', async () => {
  kura.receiver.on('/bad', answer(500))
  const channels = ['/good', '/bad'].map((path) => ({
    channel: 'webhook',
    configs: { url: kura.receiver.url(path) },
  }))
  const { webhook_id } = await kura.webhook('', { channels })
  await kura.object()
  await kura.drain()
  await kura.comeDue()
  assert.deepEqual([kura.receiver.at('/good').length, kura.receiver.at('/bad').length], [1, 2])
  // A channel that is gone is sent nothing more.
  await kura.ok(
    kura.request('PATCH', `${WEBHOOKS}/${webhook_id}`, { body: { channels: channels.slice(0, 1) } }),
  )
  await kura.comeDue()
  assert.equal(kura.receiver.at('/bad').length, 2)
  const statuses = (await kura.deliveries(webhook_id)).map(({ status }) => status).sort()
  assert.deepEqual(statuses, ['canceled', 'delivered'])
})
