import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { UsageRecorder } from '../../src/platform/usage/usage-recorder.ts'
import { makeKey } from '../support/keys.ts'
import { makeTenant } from '../support/tenant.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

for (const dialect of DIALECTS) {
  let kura: TestApp
  before(async () => {
    kura = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
  })
  after(() => kura.close())

  const today = () => new Date().toISOString().slice(0, 10)

  test(`requests of a key are counted by day, category and endpoint, errors among them (${dialect})`, async () => {
    const { key, key_id } = await makeKey(kura, { permissions: ['write'] })
    for (let i = 0; i < 3; i++) await kura.request('GET', '/v1/buckets', { key })
    await kura.request('GET', '/v1/buckets/bkt_unknown', { key })
    await kura.request('POST', '/v1/buckets/bkt_unknown/objects/list', { key, body: {} })
    await kura.request('GET', '/v1/health', { key })
    const { body } = await kura.request('GET', `/v1/organizations/api-keys/${key_id}/usage`)
    assert.deepEqual(
      [body.total_requests, body.errors, body.requests_by_category.metadata, body.requests_by_category.data],
      [5, 2, 4, 1],
    )
    assert.deepEqual(body.by_day, [{ date: today(), requests: 5, errors: 2 }])
    assert.ok(body.last_used_at)
    assert.equal(body.key_id, key_id)
    const endpoints = (await kura.request('GET', `/v1/organizations/api-keys/${key_id}/usage/endpoints`)).body
    assert.deepEqual(
      endpoints.map(({ endpoint, requests, errors }: Record<string, unknown>) => [
        endpoint,
        requests,
        errors,
      ]),
      [
        ['GET /v1/buckets', 3, 0],
        ['GET /v1/buckets/:bucket_identifier', 1, 1],
        ['POST /v1/buckets/:bucket_identifier/objects/list', 1, 1],
      ],
    )
    for (const { avg_latency_ms, p95_latency_ms } of endpoints)
      assert.ok(avg_latency_ms > 0 && p95_latency_ms > 0 && avg_latency_ms < 10_000)
  })

  test(`the organization's usage tells what it took in (${dialect})`, async () => {
    await makeTenant(kura, { name: 'used', mark: 'zebra' })
    const { body } = await kura.request('GET', '/v1/organizations/usage')
    assert.deepEqual([body.objects_created, body.documents_written], [2, 1])
    assert.ok(body.bytes_stored > 0 && body.total_requests > 5)
    assert.deepEqual(body.credits, { total: null, used: 0, remaining: null })
    assert.equal(body.end, today())
    assert.equal((Date.parse(body.end) - Date.parse(body.start)) / 86_400_000, 29)
    const past = (await kura.request('GET', '/v1/organizations/usage?start=2020-01-01&end=2020-01-31')).body
    assert.deepEqual([past.total_requests, past.objects_created, past.by_day], [0, 0, []])
  })

  test(`unknown keys and times that are none are refused (${dialect})`, async () => {
    for (const url of ['key_unknown/usage', 'key_unknown/usage/endpoints', '..%2Fx/usage'])
      assert.equal((await kura.request('GET', `/v1/organizations/api-keys/${url}`)).status, 404, url)
    for (const query of ['start=x', 'end=5', 'start=2026-02-01&end=2026-01-01'])
      assert.equal((await kura.request('GET', `/v1/organizations/usage?${query}`)).status, 422, query)
  })

  test(`counts of several servers add up, and what could not be written is not lost (${dialect})`, async () => {
    const { db } = kura.deps
    const organization_id = kura.deps.bootstrap.organizationId
    const warnings: unknown[] = []
    const log = { warn: (...warning: unknown[]) => void warnings.push(warning) }
    const clock = { now: () => Date.parse('2031-05-05T23:59:59Z') }
    const recorders = [1, 2, 3].map(() => new UsageRecorder({ db, log, clock }))
    const answered = {
      organization_id,
      key_id: 'key_x',
      endpoint: 'GET /x',
      category: 'metadata' as const,
      is_error: true,
      latency_ms: 3,
    }
    for (const recorder of recorders) for (let i = 0; i < 100; i++) recorder.count(answered)
    await Promise.all(recorders.map((recorder) => recorder.flush()))
    await Promise.all(recorders.map((recorder) => recorder.flush()))
    const rows = await db.selectFrom('usage_days').selectAll().where('key_id', '=', 'key_x').execute()
    assert.deepEqual(
      rows.map(({ day, requests, errors, ms_5, latency_ms_sum }) => [
        day,
        requests,
        errors,
        ms_5,
        latency_ms_sum,
      ]),
      [['2031-05-05', 300, 300, 300, 900]],
    )
    const broken = new UsageRecorder({
      db: { ...db, transaction: () => assert.fail('gone') } as never,
      log,
      clock,
    })
    broken.count(answered)
    await broken.flush()
    assert.ok(warnings.length >= 1)
  })
}
