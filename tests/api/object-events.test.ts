import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { timestamp } from '../../src/core/time.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

const TYPES = ['object.created', 'objects.created.batch', 'object.updated', 'object.deleted']

for (const dialect of DIALECTS) {
  describe(`events of objects (${dialect})`, () => {
    let kura: ObjectsApp
    let bucket_id: string
    before(async () => {
      kura = await objectsApp(dialect)
      const properties = { sku: { type: 'string' }, body: { type: 'text' } } as const
      const unique_key = { fields: ['sku'], default_policy: 'upsert' }
      bucket_id = await kura.bucket({ schema: { properties }, unique_key })
      const now = timestamp()
      await kura.deps.db
        .insertInto('webhooks')
        .values({
          organization_id: kura.scope.organizationId,
          webhook_id: 'wh_0123456789abcdef',
          webhook_name: 'all of objects',
          event_types: JSON.stringify(TYPES),
          channels_sealed: '',
          is_active: 1,
          inactive_reason: null,
          failed_deliveries: 0,
          failing_since: null,
          created_at: now,
          updated_at: now,
        })
        .execute()
    })
    beforeEach(() => kura.deps.db.deleteFrom('outbox_events').execute())
    after(() => kura.close())

    const events = async () => {
      const rows = await kura.deps.db.selectFrom('outbox_events').selectAll().orderBy('event_seq').execute()
      return rows.map(({ event_type, namespace_id, subject, metadata }) => {
        assert.equal(namespace_id, kura.namespace_id)
        return { event_type, subject: JSON.parse(subject), metadata: JSON.parse(metadata) }
      })
    }

    test('a created object is told with its fields and without its blobs', async () => {
      const blobs = [{ property: 'body', data: 'secret bytes' }]
      const { object_id } = await kura.create(bucket_id, { sku: 'a', metadata: { n: 1 }, blobs })
      const subject = { type: 'object', id: object_id }
      const metadata = { sku: 'a', metadata: { n: 1 }, bucket_id }
      assert.deepEqual(await events(), [{ event_type: 'object.created', subject, metadata }])
    })

    test('a batch is one event; what it met by its key is updated', async () => {
      const known = await kura.create(bucket_id, { sku: 'known' })
      await kura.deps.db.deleteFrom('outbox_events').execute()
      const objects = [{ sku: 'x' }, { sku: 'known', title: 'new' }, { sku: 'y' }, { sku: '' }]
      const { body } = await kura.request('POST', `${bucket_id}/objects/batch`, { body: { objects } })
      const ids = body.succeeded.map(({ object_id }: { object_id: string }) => object_id)
      const [batch, updated, ...more] = await events()
      assert.deepEqual(batch, {
        event_type: 'objects.created.batch',
        subject: { type: 'bucket', id: bucket_id },
        metadata: { bucket_id, object_count: 2, object_ids: [ids[0], ids[2]] },
      })
      assert.deepEqual([updated!.event_type, updated!.subject.id], ['object.updated', known.object_id])
      assert.deepEqual(more, [])
    })

    test('PUT, PATCH and DELETE are told; refused ones and reads are not', async () => {
      const { object_id } = await kura.create(bucket_id, { sku: 'b' })
      await kura.deps.db.deleteFrom('outbox_events').execute()
      const path = `${bucket_id}/objects/${object_id}`
      await kura.request('PUT', path, { body: { title: 'T' } })
      await kura.request('PATCH', path, { body: { sku: null } }) // 422: the key may not go.
      await kura.request('PATCH', path, { body: { title: null } })
      await kura.request('GET', path)
      await kura.request('DELETE', path)
      await kura.request('DELETE', path)
      assert.deepEqual(
        (await events()).map(({ event_type, metadata }) => [event_type, metadata.title]),
        [
          ['object.updated', 'T'],
          ['object.updated', undefined],
          ['object.deleted', undefined],
        ],
      )
    })

    test('fields past 16 KB are left out, and the event says so', async () => {
      await kura.create(bucket_id, { sku: 'big', long: 'x'.repeat(20_000), short: 's' })
      const [event] = await events()
      assert.deepEqual(event!.metadata, { sku: 'big', short: 's', truncated: true, bucket_id })
    })
  })
}
