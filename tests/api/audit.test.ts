import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { toTimestamp } from '../../src/core/time.ts'
import { makeKey, makeUser } from '../support/keys.ts'
import { makeTenant, searchStage, type Tenant } from '../support/tenant.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const LOGS = '/v1/organizations/audit/logs'
const SETTINGS = '/v1/organizations/audit/settings'

for (const dialect of DIALECTS) {
  let kura: TestApp
  let tenant: Tenant
  before(async () => {
    kura = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    tenant = await makeTenant(kura, { name: 'audited', mark: 'zebra' })
  })
  after(() => kura.close())

  const logs = async (query = '') => (await kura.request('GET', `${LOGS}?limit=1000${query}`)).body

  test(`every change is written down with who made it, from where, and what became of it (${dialect})`, async () => {
    const namespace = tenant.namespace_id
    const patch = (url: string, body: object) =>
      kura.request('PATCH', url, { namespace, body, headers: { 'user-agent': 'audit-test/1' } })
    await patch(`/v1/namespaces/${namespace}`, { description: 'new' })
    await patch(`/v1/collections/${tenant.collection_id}`, { description: 'new' })
    await patch(`/v1/buckets/${tenant.bucket_id}`, { description: 'new' })
    await patch('/v1/organizations', { organization_name: 'Acme' })
    await kura.request('DELETE', `/v1/retrievers/${tenant.retriever_id}`, { namespace })
    const user = await makeUser(kura, 'audited@example.com')
    const actions = (await logs()).results.map(({ action }: { action: string }) => action)
    for (const action of [
      'namespace_created',
      'namespace_updated',
      'bucket_created',
      'bucket_updated',
      'collection_created',
      'collection_updated',
      'retriever_created',
      'retriever_deleted',
      'organization_updated',
      'user_created',
    ])
      assert.ok(actions.includes(action), action)
    const { results } = await logs(`&action=COLLECTION_UPDATED&resource_id=${tenant.collection_id}`)
    const [event] = results
    const root = (await kura.request('GET', '/v1/organizations/users/admin@localhost')).body
    assert.deepEqual(event.changes, { description: { new: 'new' } })
    assert.deepEqual(
      [
        event.actor_id,
        event.actor_type,
        event.status,
        event.ip_address,
        event.user_agent,
        event.resource_type,
      ],
      [root.user_id, 'user', 'success', '127.0.0.1', 'audit-test/1', 'collection'],
    )
    assert.deepEqual((await kura.request('GET', `${LOGS}/${event.audit_id}`)).body, event)
    assert.equal((await kura.request('GET', `${LOGS}/aud_unknown`)).status, 404)
    assert.equal(
      (await logs(`&resource_id=${user.user_id}`)).results[0].changes.email.new,
      'audited@example.com',
    )
  })

  test(`what was refused leaves no trace of success, and a failed change none at all (${dialect})`, async () => {
    const before = (await logs()).total
    await kura.request('PATCH', `/v1/collections/${tenant.collection_id}`, {
      namespace: tenant.namespace_id,
      body: { source: { type: 'bucket', bucket_ids: ['bkt_other'] } },
    })
    await kura.request('POST', '/v1/organizations/users', {
      body: { email: 'admin@localhost', user_name: 'Twin' },
    })
    assert.equal((await logs()).total, before)
  })

  test(`attempts at what only administrators may do are failures in the log (${dialect})`, async () => {
    const { key, key_id } = await makeKey(kura, { permissions: ['delete'] })
    const attempt = () =>
      kura.request('POST', '/v1/organizations/users', {
        key,
        body: { email: 'x@example.com', user_name: 'Xx' },
      })
    for (let i = 0; i < 5; i++) assert.equal((await attempt()).status, 403)
    assert.equal((await kura.request('DELETE', `/v1/namespaces/${tenant.namespace_id}`, { key })).status, 403)
    const { results } = await logs('&status=failure')
    assert.deepEqual(
      results.map(({ action, resource_id }: Record<string, string>) => `${action} ${resource_id}`),
      [`namespace_deleted /v1/namespaces/${tenant.namespace_id}`, 'user_created /v1/organizations/users'],
      'the same again and again is one entry',
    )
    assert.ok(key_id)
    assert.equal((await kura.request('GET', LOGS, { key })).status, 403)
  })

  test(`so are attempts at what only administrators may do with a resource that others may change (${dialect})`, async () => {
    const namespace = tenant.namespace_id
    const { key } = await makeKey(kura, { permissions: ['delete'] })
    const failures = async () =>
      (await logs('&status=failure')).results.map(
        ({ action, resource_type, resource_id }: Record<string, string>) =>
          `${action} ${resource_type} ${resource_id}`,
      )
    const before = (await failures()).length
    const bucket = `/v1/buckets/${tenant.bucket_id}`
    const attempt = async (method: 'POST' | 'PATCH', url: string, body: object) => {
      const answer = await kura.request(method, url, { key, namespace, body })
      assert.deepEqual([answer.status, answer.body.error.code], [403, 'permission_denied'])
    }
    for (const body of [{ is_locked: true }, { status: 'ARCHIVED' }]) await attempt('PATCH', bucket, body)
    await attempt('POST', '/v1/buckets', {
      bucket_name: 'locked',
      bucket_schema: { properties: {} },
      is_locked: true,
    })
    await kura.request('PATCH', bucket, { namespace, key: 'sk_unknown', body: { is_locked: true } })
    await kura.request('PATCH', bucket, {
      namespace,
      key,
      body: { is_locked: false, description: 'allowed' },
    })
    assert.deepEqual((await failures()).slice(0, -before), [
      'bucket_created bucket /v1/buckets',
      `bucket_updated bucket ${bucket}`,
    ])
    assert.equal((await kura.request('GET', bucket, { namespace })).body.is_locked, false)
    const { results } = await logs('&status=failure&action=bucket_created')
    assert.equal(results[0].actor_type, 'user')
  })

  test(`the log is newest first, filtered by time, and paged (${dialect})`, async () => {
    const all = await logs()
    const times = all.results.map(({ timestamp }: { timestamp: string }) => timestamp)
    assert.deepEqual(times, times.toSorted().reverse())
    const page = (await kura.request('GET', `${LOGS}?skip=1&limit=2`)).body
    assert.deepEqual(
      [page.results, page.skip, page.limit, page.total],
      [all.results.slice(1, 3), 1, 2, all.total],
    )
    const since = encodeURIComponent(times[2])
    assert.equal((await logs(`&start=${since}`)).total, 3)
    assert.equal((await logs(`&start=${since}&end=${since}`)).total, 1)
    assert.equal((await kura.request('GET', `${LOGS}?start=yesterday`)).status, 422)
    assert.equal((await kura.request('GET', `${LOGS}?limit=1001`)).status, 422)
  })

  test(`reads are written down only while the organization wants it (${dialect})`, async () => {
    const namespace = tenant.namespace_id
    const read = () => kura.request('GET', `/v1/buckets/${tenant.bucket_id}`, { namespace })
    const reads = async () => (await logs('&action=bucket_accessed')).total
    assert.deepEqual((await kura.request('GET', SETTINGS)).body, { read_auditing_enabled: false })
    await read()
    assert.equal(await reads(), 0)
    await kura.request('PATCH', SETTINGS, { body: { read_auditing_enabled: true } })
    await read()
    await kura.request('GET', '/v1/buckets/bkt_unknown', { namespace })
    await kura.request('GET', '/v1/buckets', { namespace })
    await kura.request('POST', '/v1/retrievers/execute', { namespace, body: { stages: [] } })
    assert.equal(await reads(), 1, 'neither lists nor what was not found')
    const { results } = await logs('&action=bucket_accessed')
    assert.equal(results[0].resource_id, tenant.bucket_id)
    await kura.request('PATCH', SETTINGS, { body: { read_auditing_enabled: false } })
    await read()
    assert.equal(await reads(), 1)
    assert.equal((await logs('&action=audit_settings_updated')).total, 2)
  })

  test(`reads of every kind of resource are written down under its id, by whichever name it was read (${dialect})`, async () => {
    const namespace = tenant.namespace_id
    const made = await kura.request('POST', '/v1/retrievers', {
      namespace,
      body: {
        retriever_name: 'audited',
        collection_identifiers: [tenant.collection_id],
        input_schema: { query: { type: 'string' } },
        stages: [searchStage('{{inputs.query}}')],
      },
    })
    const { retriever_id } = made.body
    await kura.request('PATCH', SETTINGS, { body: { read_auditing_enabled: true } })
    const before = (await logs()).total
    const object = `objects/${tenant.object_id}`
    const document = `documents/${tenant.document_id}`
    for (const [url, expected] of [
      [`/v1/namespaces/${tenant.namespace_name}`, `namespace_accessed namespace ${namespace}`],
      [`/v1/buckets/${tenant.bucket_name}`, `bucket_accessed bucket ${tenant.bucket_id}`],
      [`/v1/collections/${tenant.collection_name}`, `collection_accessed collection ${tenant.collection_id}`],
      [`/v1/retrievers/${retriever_id}`, `retriever_accessed retriever ${retriever_id}`],
      [`/v1/buckets/${tenant.bucket_name}/${object}`, `bucket_accessed object ${tenant.object_id}`],
      [
        `/v1/collections/${tenant.collection_id}/${document}`,
        `collection_accessed document ${tenant.document_id}`,
      ],
    ] as const) {
      assert.equal((await kura.request('GET', url, { namespace })).status, 200, url)
      const [latest] = (await logs()).results
      assert.equal(`${latest.action} ${latest.resource_type} ${latest.resource_id}`, expected)
      assert.equal(latest.status, 'success')
    }
    const execute = (path: string, body: object) =>
      kura.request('POST', `/v1/retrievers/${path}`, { namespace, body })
    assert.equal((await execute(`${retriever_id}/execute`, { inputs: { query: 'x' } })).status, 200)
    assert.equal((await logs('&action=retriever_queried')).results[0].resource_id, retriever_id)
    assert.equal((await logs()).total, before + 7)
    // Lists, parts that are no resources, and what does not exist.
    for (const url of [
      `/v1/buckets/${tenant.bucket_id}/objects/obj_unknown`,
      `/v1/buckets/${tenant.bucket_id}/batches`,
      '/v1/collections',
      '/v1/retrievers/stages',
      `/v1/namespaces/${namespace}/extractors`,
    ])
      await kura.request('GET', url, { namespace })
    assert.equal((await logs()).total, before + 7)
    await kura.request('PATCH', SETTINGS, { body: { read_auditing_enabled: false } })
  })

  test(`events are kept for a year (${dialect})`, async () => {
    const { db, organizations } = kura.deps
    const [event] = await db.selectFrom('audit_events').selectAll().limit(1).execute()
    const day_ms = 24 * 3600_000
    for (const [audit_id, days] of [
      ['aud_old', 366],
      ['aud_kept', 364],
    ] as const)
      await db
        .insertInto('audit_events')
        .values({ ...event!, audit_id, timestamp: toTimestamp(Date.now() - days * day_ms) })
        .execute()
    assert.equal(await organizations.audit.purge(), 1)
    assert.equal((await kura.request('GET', `${LOGS}/aud_old`)).status, 404)
    assert.equal((await kura.request('GET', `${LOGS}/aud_kept`)).status, 200)
  })
}
