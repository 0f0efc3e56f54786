import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { toTimestamp } from '../../src/core/time.ts'
import { makeKey, makeUser } from '../support/keys.ts'
import { makeTenant, type Tenant } from '../support/tenant.ts'
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
