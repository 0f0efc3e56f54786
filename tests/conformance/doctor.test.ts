import assert from 'node:assert/strict'
import { test } from 'node:test'
import { examine } from '../../src/doctor/examine.ts'
import { makeTenant } from '../support/tenant.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

for (const dialect of DIALECTS) {
  test(`the doctor finds counters that were tampered with and sets them right (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { request, deps } = app
    const { db } = deps
    const { bucket_id, namespace_id, collection_id } = await makeTenant(app, { name: 'ill', mark: 'zebra' })
    await makeTenant(app, { name: 'well', mark: 'okapi' })
    const shown = async () => {
      const { body } = await request('POST', '/v1/buckets/list', { namespace: 'ill' })
      // When something was counted is no count.
      const [{ stats_updated_at: _at, ...bucket }] = body.results
      return { bucket, stats: body.stats }
    }
    const problems = async (repair: boolean) => {
      const findings = await examine(deps, { repair })
      return Object.fromEntries(
        findings.filter((one) => one.problems > 0).map((one) => [one.check, one.repaired]),
      )
    }
    const healthy = await shown()
    assert.deepEqual(await problems(false), {})

    const columns = [
      'object_count',
      'total_size_bytes',
      'max_size_bytes',
      'min_size_bytes',
      'batch_total',
      'batch_active',
      'batch_completed',
      'batch_failed',
    ] as const
    for (const column of columns) {
      await db
        .updateTable('buckets')
        .set((eb) => ({ [column]: eb(column, '+', 7) }))
        .where('bucket_id', '=', bucket_id)
        .execute()
      assert.equal((await problems(false))['bucket statistics'], 0, `${column} is found, and left alone`)
      const repaired = await problems(true)
      assert.equal(repaired['bucket statistics'], 1, column)
      assert.deepEqual(await problems(false), {}, column)
      assert.deepEqual(await shown(), healthy, column)
    }

    for (const change of [{ object_count: 100 }, { bucket_count: -1 }, { total_size_bytes: 5 }]) {
      await db.updateTable('bucket_totals').set(change).where('namespace_id', '=', namespace_id).execute()
      assert.deepEqual(await problems(false), { 'namespace totals': 0 })
      assert.deepEqual(await problems(true), { 'namespace totals': 1 })
      assert.deepEqual(await shown(), healthy)
    }
    // Both broken at once, and the document count.
    await db.updateTable('buckets').set({ object_count: 9 }).where('bucket_id', '=', bucket_id).execute()
    await db.deleteFrom('bucket_totals').where('namespace_id', '=', namespace_id).execute()
    await db
      .updateTable('collections')
      .set({ document_count: 9 })
      .where('collection_id', '=', collection_id)
      .execute()
    assert.deepEqual(await problems(true), {
      'bucket statistics': 1,
      'namespace totals': 1,
      'document counts': 1,
    })
    assert.deepEqual(await problems(false), {})
    assert.deepEqual(await shown(), healthy)
  })
}
