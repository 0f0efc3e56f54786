import assert from 'node:assert/strict'
import { toTimestamp } from '../../src/core/time.ts'
import { type Dialect, inTransaction } from '../../src/platform/db/db.ts'
import { wakeDispatcher } from '../../src/platform/events/outbox.ts'
import { drainQueue } from './drain-queue.ts'
import { type TestResponse, testApp } from './test-app.ts'
import { webhookReceiver } from './webhook-receiver.ts'

export const WEBHOOKS = '/v1/organizations/webhooks'

/** A server with a bucket, a receiver that it may reach, and short words for what tests of webhooks do. */
export async function webhooksApp(dialect: Dialect, environment: Record<string, string> = {}) {
  const receiver = await webhookReceiver()
  const kura = await testApp(dialect, {
    KURA_ALLOWED_PRIVATE_HOSTS: receiver.host,
    KURA_WEBHOOK_ALLOW_HTTP: 'true',
    KURA_TEXT_MODEL: 'hash',
    ...environment,
  })
  const { db } = kura.deps
  let count = 0

  async function ok(response: Promise<TestResponse>, status = 200): Promise<TestResponse['body']> {
    const answer = await response
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    return answer.body
  }

  const bucket = { bucket_name: 'told', bucket_schema: { properties: {} } }
  const { bucket_id } = await ok(kura.request('POST', '/v1/buckets', { body: bucket }))

  return {
    ...kura,
    receiver,
    bucket_id,
    ok,

    /** A webhook with one channel that leads to a path of the receiver. */
    webhook(path: string, { configs = {}, ...more }: Record<string, unknown> = {}) {
      const body = {
        webhook_name: `webhook-${count++}`,
        event_types: ['object.created'],
        channels: [
          { channel: 'webhook', configs: { url: receiver.url(path), timeout: 1, ...(configs as object) } },
        ],
        ...more,
      }
      return ok(kura.request('POST', WEBHOOKS, { body }), 201)
    },

    /** Something happens that is told. */
    object: (fields: object = { title: 'a' }) =>
      ok(kura.request('POST', `/v1/buckets/${bucket_id}/objects`, { body: fields })),

    drain: () => drainQueue(kura.deps),

    async deliveries(webhook_id: string, query = ''): Promise<TestResponse['body'][]> {
      return (await ok(kura.request('GET', `${WEBHOOKS}/${webhook_id}/deliveries${query}`))).results
    },

    /** As if the time of the next attempts had come; then they are made. */
    async comeDue(): Promise<void> {
      await db
        .updateTable('webhook_deliveries')
        .set({ next_attempt_at: toTimestamp(Date.now() - 1000) })
        .where('status', '=', 'pending')
        .execute()
      await inTransaction(db, (trx) => wakeDispatcher(trx, kura.deps.bootstrap.organizationId))
      await drainQueue(kura.deps)
    },

    /** Removes all webhooks and what they leave behind. */
    async forget(): Promise<void> {
      for (const table of ['webhooks', 'webhook_deliveries', 'outbox_events', 'webhook_dispatchers'] as const)
        await db.deleteFrom(table).execute()
      await db.deleteFrom('jobs').where('kind', '=', 'deliver_webhook').execute()
      receiver.received.length = 0
    },

    async close() {
      await kura.close()
      await receiver.close()
    },
  }
}

export type WebhooksApp = Awaited<ReturnType<typeof webhooksApp>>
