import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3_SERVER_MISSING, startS3Server } from '../support/s3-server.ts'
import { webhooksApp } from '../support/webhooks.ts'

test('a real S3 server tells of its files: they come in, change and go', {
  skip: S3_SERVER_MISSING,
  timeout: 60_000,
}, async (t) => {
  const secret = 'a-secret-for-the-store'
  const kura = await webhooksApp('sqlite', { KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' })
  t.after(() => kura.close())
  await kura.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = kura.app.server.address() as AddressInfo
  const source_adapter = {
    type: 's3_notifications',
    auth: { method: 'bearer', secret },
    on_removed: 'delete',
    fields: { key: 's3.object.key' },
  }
  const bucket_schema = { properties: { key: { type: 'string' }, content: { type: 'text' } } }
  const { bucket_id } = await kura.ok(
    kura.request('POST', '/v1/buckets', { body: { bucket_name: 'from-s3', bucket_schema, source_adapter } }),
  )
  const events = `/v1/buckets/${bucket_id}/source-adapter/events`
  const s3 = await startS3Server({ event_webhook_url: `http://store:${secret}@127.0.0.1:${port}${events}` })
  t.after(() => s3.stop())
  const connection = {
    name: 'store',
    provider_type: 's3',
    provider_config: {
      credentials: { access_key_id: s3.access_key_id, secret_access_key: s3.secret_access_key },
      region: s3.region,
      endpoint_url: s3.endpoint,
    },
    test_before_save: false,
  }
  await kura.ok(kura.request('POST', '/v1/organizations/connections', { body: connection }))

  await s3.createBucket('media')
  const { PutObjectCommand, DeleteObjectCommand } = await import('@aws-sdk/client-s3')
  const put = (Key: string, Body: string) =>
    s3.client.send(new PutObjectCommand({ Bucket: 'media', Key, Body, ContentType: 'text/plain' }))
  const seen = async (
    wanted: (objects: { key: string; blobs: { details: { size_bytes: number } }[] }[]) => boolean,
  ) => {
    for (let i = 0; i < 200; i++) {
      await kura.drain()
      const { results } = await kura.ok(
        kura.request('POST', `/v1/buckets/${bucket_id}/objects/list`, { body: { limit: 100 } }),
      )
      if (wanted(results)) return results
      await sleep(50)
    }
    const log = await kura.ok(kura.request('GET', events))
    return assert.fail(JSON.stringify(log))
  }

  await put('notes/one two.txt', 'first')
  await put('notes/ü+%.txt', 'other')
  const [first] = (await seen(({ length }) => length === 2)).filter(
    (one: { key: string }) => one.key === 'notes/one two.txt',
  )
  assert.ok(first)
  await put('notes/one two.txt', 'changed text')
  const after = await seen((all) => all.some(({ blobs }) => blobs[0]?.details.size_bytes === 12))
  assert.equal(after.length, 2)
  assert.ok(after.some((one: { object_id: string }) => one.object_id === first.object_id))
  await s3.client.send(new DeleteObjectCommand({ Bucket: 'media', Key: 'notes/one two.txt' }))
  await seen(({ length }) => length === 1)
})
