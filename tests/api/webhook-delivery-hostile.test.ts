import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { DIALECTS } from '../support/test-app.ts'
import { answer, flood, webhookReceiver } from '../support/webhook-receiver.ts'
import { WEBHOOKS, type WebhooksApp, webhooksApp } from '../support/webhooks.ts'

const GIB = 1024 ** 3
const MIB = 1024 ** 2

for (const dialect of DIALECTS) {
  let kura: WebhooksApp
  before(async () => {
    kura = await webhooksApp(dialect)
  })
  after(() => kura.close())
  afterEach(() => kura.forget())

  /** Delivers one event to a receiver that misbehaves; what it cost, and what the log says. */
  async function deliver(path: string, configs: object = {}) {
    const { webhook_id } = await kura.webhook(path, { configs })
    await kura.object()
    const before_bytes = process.memoryUsage().rss
    let most_bytes = before_bytes
    const watch = setInterval(() => (most_bytes = Math.max(most_bytes, process.memoryUsage().rss)), 5)
    const start_ms = performance.now()
    await kura.drain()
    const took_ms = performance.now() - start_ms
    clearInterval(watch)
    const [delivery] = await kura.deliveries(webhook_id)
    return {
      delivery,
      attempt: delivery.attempts[0],
      webhook_id,
      took_ms,
      grown_bytes: most_bytes - before_bytes,
    }
  }

  /** The receiver has come to its senses: the same delivery arrives. */
  async function replays(path: string, { webhook_id, delivery }: Awaited<ReturnType<typeof deliver>>) {
    kura.receiver.on(path, answer(200))
    await kura.ok(kura.request('POST', `${WEBHOOKS}/${webhook_id}/deliveries/${delivery.delivery_id}/replay`))
    await kura.drain()
    const [again] = await kura.deliveries(webhook_id)
    assert.equal(again.status, 'delivered', JSON.stringify(again))
    assert.equal(again.delivery_id, delivery.delivery_id)
    assert.equal(again.event_id, delivery.event_id)
  }

  test(`a receiver that hangs costs its timeout, is logged and can be replayed (${dialect})`, async () => {
    kura.receiver.on('/hang', () => undefined)
    const result = await deliver('/hang', { timeout: 0.5 })
    assert.equal(result.delivery.status, 'pending')
    assert.match(result.attempt.error, /took longer than 0.5 seconds/)
    assert.ok(result.took_ms > 450 && result.took_ms < 1500, `${result.took_ms} ms`)
    await replays('/hang', result)
  })

  test(`a receiver that drips its headers for ever costs its timeout (${dialect})`, async () => {
    kura.receiver.on('/drip', (_request, response) => {
      const timer = setInterval(() => response.socket?.write('X-Drip: 1\r\n'), 20)
      response.socket?.write('HTTP/1.1 200 OK\r\n')
      response.socket?.once('close', () => clearInterval(timer))
    })
    const result = await deliver('/drip', { timeout: 0.5 })
    assert.equal(result.delivery.status, 'pending')
    assert.ok(result.took_ms < 1500, `${result.took_ms} ms`)
    await replays('/drip', result)
  })

  for (const [name, location] of [
    ['a private address', 'http://169.254.169.254/latest/meta-data/'],
    ['itself', '/elsewhere'],
  ] as const)
    test(`a redirect to ${name} is not followed (${dialect})`, async () => {
      const path = `/redirect-${name.length}`
      kura.receiver.on(path, answer(307, { location }, ''))
      const result = await deliver(path)
      assert.equal(result.attempt.response_status, 307)
      assert.match(result.attempt.error, /redirect \(307\), which is not followed/)
      assert.equal(kura.receiver.received.length, 1)
      await replays(path, result)
    })

  for (const [status, outcome] of [
    [200, 'delivered'],
    [500, 'pending'],
  ] as const)
    test(`an answer of 10 GB with status ${status} costs some kilobytes (${dialect})`, async (t) => {
      const path = `/flood-${status}`
      const sent = { bytes: 0 }
      kura.receiver.on(path, flood(status, 10 * GIB, sent))
      const result = await deliver(path, { timeout: 5 })
      assert.equal(result.delivery.status, outcome)
      t.diagnostic(
        `${Math.round(result.took_ms)} ms, ${(result.grown_bytes / MIB).toFixed(1)} MiB more memory, ${(sent.bytes / MIB).toFixed(1)} MiB sent`,
      )
      assert.equal(result.attempt.response_status, status)
      assert.ok(result.attempt.response_excerpt.length <= 1024)
      assert.ok(result.took_ms < 2000, `${result.took_ms} ms`)
      assert.ok(result.grown_bytes < 64 * MIB, `${result.grown_bytes} bytes`)
      assert.ok(sent.bytes < 32 * MIB, `${sent.bytes} bytes were taken`)
      await replays(path, result)
    })

  test(`an answer that never ends is left after a second, its status counts (${dialect})`, async () => {
    kura.receiver.on('/endless', (_request, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('x'), 20)
      response.once('close', () => clearInterval(timer))
    })
    const result = await deliver('/endless', { timeout: 5 })
    assert.equal(result.delivery.status, 'delivered')
    assert.ok(result.took_ms < 2500, `${result.took_ms} ms`)
  })

  test(`a receiver that closes before it answers has failed (${dialect})`, async () => {
    kura.receiver.on('/close', (request) => request.socket.destroy())
    const result = await deliver('/close')
    assert.match(result.attempt.error, /closed the connection/)
    assert.equal(result.attempt.response_status, undefined)
    await replays('/close', result)
  })

  test(`a receiver that closes in the middle of its answer has said its status (${dialect})`, async () => {
    kura.receiver.on('/half', (_request, response) => {
      response.writeHead(500, { 'content-length': '1000' })
      response.write('half', () => setTimeout(() => response.destroy(), 20))
    })
    const result = await deliver('/half')
    assert.equal(result.attempt.response_status, 500)
    assert.equal(result.attempt.response_excerpt, 'half')
    await replays('/half', result)
  })

  test(`a compressed bomb is not unpacked (${dialect})`, async () => {
    const { gzipSync } = await import('node:zlib')
    const bomb = gzipSync(Buffer.alloc(64 * MIB))
    kura.receiver.on(
      '/bomb',
      (_request, response) => void response.writeHead(500, { 'content-encoding': 'gzip' }).end(bomb),
    )
    const result = await deliver('/bomb')
    assert.equal(result.attempt.response_status, 500)
    assert.ok(result.grown_bytes < 32 * MIB, `${result.grown_bytes} bytes`)
  })

  test(`what is no HTTP has failed (${dialect})`, async () => {
    kura.receiver.on('/garbage', (request) => void request.socket.end('SSH-2.0-OpenSSH\r\n\r\n'))
    const result = await deliver('/garbage')
    assert.equal(result.delivery.status, 'pending')
    await replays('/garbage', result)
  })

  test(`an address that became private after it was saved is refused at delivery (${dialect})`, async () => {
    const { webhook_id } = await kura.webhook('/later')
    const other = await webhookReceiver()
    try {
      const { webhooks } = kura.deps.webhookServices
      const scope = { organizationId: kura.deps.bootstrap.organizationId }
      const record = await webhooks.find(scope, webhook_id)
      const { saveWebhook } = await import('../../src/resources/webhooks/store.ts')
      const channels = [{ channel: 'webhook' as const, configs: { url: other.url('/x'), timeout: 1 } }]
      await kura.deps.db
        .transaction()
        .execute((trx) => saveWebhook(trx, kura.deps.secrets, { ...record, channels }))
      await kura.object()
      await kura.drain()
      assert.match((await kura.deliveries(webhook_id))[0].error, /private or special address/)
      assert.equal(other.received.length, 0)
    } finally {
      await other.close()
    }
  })

  test(`a certificate that nobody vouches for is refused, and nothing is sent (${dialect})`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kura-tls-'))
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name)) as [string, string]
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...[
          '-keyout',
          key,
          '-out',
          cert,
          '-days',
          '1',
          '-subj',
          '/CN=127.0.0.1',
          '-addext',
          'subjectAltName=IP:127.0.0.1',
        ],
      ],
      { stdio: 'ignore' },
    )
    let requests = 0
    const server = createTlsServer(
      { key: readFileSync(key), cert: readFileSync(cert) },
      (_request, response) => {
        requests++
        response.end('ok')
      },
    )
    server.on('tlsClientError', () => undefined)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const trusting = await webhooksApp(dialect, { KURA_ALLOWED_PRIVATE_HOSTS: `127.0.0.1:${port}` })
    try {
      const { webhook_id } = await trusting.webhook('', { configs: { url: `https://127.0.0.1:${port}/tls` } })
      await trusting.object()
      await trusting.drain()
      const [delivery] = await trusting.deliveries(webhook_id)
      assert.equal(delivery.status, 'pending')
      assert.match(delivery.attempts[0].error, /connection failed \(\w*(?:SELF_SIGNED|VERIFY|CERT)\w*\)/)
      assert.equal(requests, 0)
    } finally {
      await trusting.close()
      server.close()
      rmSync(folder, { recursive: true })
    }
  })
}
