import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId, sha256 } from '../../src/core/ids.ts'
import { timestamp } from '../../src/core/time.ts'
import type { Deps } from '../../src/deps.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

const body = { bucket_name: 'one', bucket_schema: { properties: { title: { type: 'string' } } } }

/** A key of the organization with less than all permissions. */
async function makeKey({ db, bootstrap }: Deps, permission: string): Promise<string> {
  const now = timestamp()
  const key = `sk_${permission}_0123456789abcdef`
  await db
    .insertInto('api_keys')
    .values({
      key_id: newId.key(),
      organization_id: bootstrap.organizationId,
      key_hash: sha256(key),
      key_prefix: key.slice(0, 10),
      name: permission,
      permissions: JSON.stringify([permission]),
      scopes: '[]',
      status: 'active',
      expires_at: null,
      created_at: now,
      updated_at: now,
    })
    .execute()
  return key
}

for (const dialect of DIALECTS) {
  test(`administrators archive and suspend a bucket; it is read only until they take it back (${dialect})`, async (t) => {
    const { request, deps, close } = await testApp(dialect)
    t.after(close)
    const member = await makeKey(deps, 'delete')
    const { bucket_id } = (await request('POST', '/v1/buckets', { body })).body
    const url = `/v1/buckets/${bucket_id}`
    const { object_id } = (await request('POST', `${url}/objects`, { body: { title: 'a' } })).body
    for (const status of ['ARCHIVED', 'SUSPENDED']) {
      const forbidden = await request('PATCH', url, { body: { status }, key: member })
      assert.deepEqual([forbidden.status, forbidden.body.error.code], [403, 'permission_denied'])
      const set = await request('PATCH', url, { body: { status: status.toLowerCase() } })
      assert.deepEqual([set.status, set.body.status], [200, status])
      for (const refused of [
        await request('POST', `${url}/objects`, { body: { title: 'b' } }),
        await request('PATCH', `${url}/objects/${object_id}`, { body: { title: 'b' } }),
        await request('DELETE', `${url}/objects/${object_id}`),
        await request('POST', `${url}/batches`, { body: { object_ids: [object_id] } }),
        await request('PATCH', url, { body: { description: 'x' } }),
        await request('PATCH', url, { body: { status, description: 'x' } }),
        await request('PUT', url, { body: { description: 'x' } }),
      ])
        assert.deepEqual([refused.status, refused.body.error.code], [400, 'bucket_inactive'])
      assert.equal((await request('GET', `${url}/objects/${object_id}`)).body.title, 'a')
      const listed = await request('POST', '/v1/buckets/list', { body: { filters: { status } } })
      assert.equal(listed.body.total_count, 1, 'it is listed and counted')
      assert.equal((await request('PATCH', url, { body: { status: 'ACTIVE' }, key: member })).status, 403)
      assert.equal((await request('PATCH', url, { body: { status: 'ACTIVE' } })).body.status, 'ACTIVE')
    }
    assert.equal((await request('POST', `${url}/objects`, { body: { title: 'b' } })).status, 200)
    // What clients got they may send back; nothing else is a status of a bucket.
    assert.equal((await request('PATCH', url, { body: { status: 'ACTIVE' }, key: member })).status, 200)
    for (const status of ['COMPLETED', 'IN_PROGRESS', 'gone', 7]) {
      const refused = await request('PATCH', url, { body: { status } })
      assert.deepEqual([refused.status, refused.body.detail[0].loc], [422, ['body', 'status']])
    }
    await request('PATCH', url, { body: { status: 'ARCHIVED' } })
    assert.equal((await request('DELETE', url)).status, 200, 'what is archived can be deleted')
    const going = await request('PATCH', url, { body: { status: 'ACTIVE' } })
    assert.deepEqual([going.status, going.body.error.code], [409, 'resource_deleting'])
    await drainQueue(deps)
    assert.equal((await request('GET', url)).status, 404)
    assert.equal((await request('POST', '/v1/buckets', { body })).status, 200, 'its name is free again')
  })

  test(`every change of a bucket is in the audit log, in the transaction of the change (${dialect})`, async (t) => {
    const { request, deps, close } = await testApp(dialect)
    t.after(close)
    const { bucket_id } = (await request('POST', '/v1/buckets', { body: { ...body, metadata: { a: 1 } } }))
      .body
    const url = `/v1/buckets/${bucket_id}`
    await request('PATCH', url, {
      body: {
        bucket_name: 'two',
        metadata: { b: 2 },
        is_locked: true,
        source_adapter: { client_secret: 'topsecret' },
      },
    })
    await request('PATCH', url, { body: { description: null, is_locked: true } })
    await request('PUT', url, { body: { bucket_name: 'list' } })
    await request('DELETE', url)
    await request('PATCH', url, { body: { is_locked: false } })
    await request('DELETE', url)
    await request('DELETE', url)
    await drainQueue(deps)
    const rows = await deps.db
      .selectFrom('audit_events')
      .selectAll()
      .where('resource_type', '=', 'bucket')
      .orderBy('timestamp')
      .execute()
    const mask = '*'.repeat(40)
    assert.deepEqual(
      rows.map(({ action, resource_id, changes }) => [action, resource_id, JSON.parse(changes!)]),
      [
        ['bucket_created', bucket_id, { bucket_name: { new: 'one' } }],
        [
          'bucket_updated',
          bucket_id,
          {
            bucket_name: { old: 'one', new: 'two' },
            metadata: { old: { a: 1 }, new: { a: 1, b: 2 } },
            is_locked: { old: false, new: true },
            source_adapter: { old: null, new: { client_secret: mask } },
          },
        ],
        ['bucket_updated', bucket_id, { is_locked: { old: true, new: false } }],
        ['bucket_deleted', bucket_id, { bucket_name: { old: 'two' }, object_count: { old: 0 } }],
      ],
    )
    assert.ok(rows.every(({ actor_type }) => actor_type !== 'system'))
  })
}
