import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventIds } from '../../src/core/webhook-events.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { DIALECTS } from '../support/test-app.ts'
import { webhooksApp } from '../support/webhooks.ts'

test('an event names at most 1,000 ids and says when there were more', () => {
  const ids = Array.from({ length: 1001 }, (_, i) => `doc_${i}`)
  assert.deepEqual(eventIds('ids', ids.slice(1)), { ids: ids.slice(1) })
  assert.deepEqual(eventIds('ids', ids), { ids: ids.slice(0, 1000), truncated: true })
})

for (const dialect of DIALECTS) {
  test(`objects, collections and documents tell of themselves (${dialect})`, async (t) => {
    const kura = await webhooksApp(dialect)
    t.after(() => kura.close())
    const { request, ok } = kura
    await kura.webhook('/all', { event_types: ['*'] })
    const fixture = ingestFixture(kura)
    const bucket_id = await fixture.bucket()
    const collection_id = await fixture.textCollection(bucket_id)
    const object_ids = await fixture.objects(bucket_id, [{ title: 'a', body: 'one text' }])
    await ok(
      request('POST', `/v1/buckets/${bucket_id}/objects/batch`, {
        body: { objects: [{ title: 'b' }, { title: 'c' }] },
      }),
    )
    const object = `/v1/buckets/${bucket_id}/objects/${object_ids[0]}`
    await ok(request('PATCH', object, { body: { title: 'changed' } }))
    await fixture.process(bucket_id, object_ids)
    const documents = await fixture.documents(collection_id)
    await ok(request('PATCH', `/v1/collections/${collection_id}`, { body: { description: 'x' } }))
    await ok(request('DELETE', object), 204)
    await ok(request('DELETE', `/v1/collections/${collection_id}`))
    await kura.drain()
    const told = kura.receiver.at('/all').map(({ body }) => body)
    const types = told.map(({ event_type }) => event_type).sort()
    assert.deepEqual(types, [
      'collection.created',
      'collection.deleted',
      'collection.documents.written',
      'collection.updated',
      'object.created',
      'object.deleted',
      'object.updated',
      'objects.created.batch',
    ])
    const of = (type: string) => told.find(({ event_type }) => event_type === type)
    const { batch_id, ...written } = of('collection.documents.written').metadata
    assert.match(batch_id, /^btch_/)
    assert.deepEqual(written, {
      collection_id,
      document_count: documents.length,
      document_ids: documents.map(({ document_id }) => document_id),
    })
    assert.deepEqual(of('collection.updated').subject, { type: 'collection', id: collection_id })
    assert.equal(of('objects.created.batch').metadata.object_count, 2)
  })

  test(`a namespace that is deleted takes no event with it (${dialect})`, async (t) => {
    const kura = await webhooksApp(dialect)
    t.after(() => kura.close())
    await kura.webhook('/kept')
    const { object_id } = await kura.object()
    const [namespace] = (await kura.ok(kura.request('POST', '/v1/namespaces/list'))).results
    await kura.ok(kura.request('DELETE', `/v1/namespaces/${namespace.namespace_id}`))
    await kura.drain()
    assert.deepEqual(
      kura.receiver.at('/kept').map(({ body }) => body.subject.id),
      [object_id],
    )
  })
}
