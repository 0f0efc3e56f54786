import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Dialect, inTransaction } from '../../src/platform/db/db.ts'
import { insertTask, type NewTask, updateTask } from '../../src/resources/tasks/index.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

async function fixture(t: TestContext, dialect: Dialect) {
  const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
  t.after(app.close)
  const { db, bootstrap } = app.deps
  const scope = { organizationId: bootstrap.organizationId }
  const { namespace_id } = await db.selectFrom('namespaces').select('namespace_id').executeTakeFirstOrThrow()
  const insert = (task: Partial<NewTask> = {}) =>
    inTransaction(db, (trx) =>
      insertTask(trx, scope, { task_type: 'api_collections_export', namespace_id, ...task }),
    )
  const update = (task_id: string, change: Parameters<typeof updateTask>[3]) =>
    inTransaction(db, (trx) => updateTask(trx, scope, task_id, change))
  return { app, request: app.request, insert, update, db }
}

for (const dialect of DIALECTS) {
  test(`a task tells its progress, and its error in both spellings (${dialect})`, async (t) => {
    const { request, insert, update } = await fixture(t, dialect)
    const task_id = await insert({ total: 10, additional_data: { what: 'test' } })
    await update(task_id, { status: 'IN_PROGRESS', processed: 4 })
    const running = await request('GET', `/v1/tasks/${task_id}`)
    assert.equal(running.body.status, 'IN_PROGRESS')
    const { progress } = running.body.additional_data
    assert.deepEqual([progress.processed, progress.total], [4, 10])
    assert.ok(progress.rate_per_second > 0 && progress.eta_seconds >= 0)
    await update(task_id, { status: 'FAILED', error: 'It broke.' })
    const failed = await request('GET', `/v1/tasks/${task_id}`)
    assert.equal(failed.body.error, 'It broke.')
    assert.equal(failed.body.error_message, 'It broke.')
    assert.equal(failed.body.additional_data.error, 'It broke.')
    assert.equal(failed.body.additional_data.what, 'test')
    assert.equal(failed.body.additional_data.progress.eta_seconds, undefined)
  })

  test(`an ended task is final (${dialect})`, async (t) => {
    const { request, insert, update } = await fixture(t, dialect)
    const task_id = await insert()
    assert.equal(await update(task_id, { status: 'COMPLETED' }), true)
    assert.equal(await update(task_id, { status: 'CANCELED' }), false)
    assert.equal((await request('GET', `/v1/tasks/${task_id}`)).body.status, 'COMPLETED')
  })

  test(`tasks are kept 90 days after their end, then unknown (${dialect})`, async (t) => {
    const { app, request, insert, update, db } = await fixture(t, dialect)
    const task_id = await insert()
    await update(task_id, { status: 'COMPLETED' })
    const old = new Date(Date.now() - 91 * 24 * 3600 * 1000).toISOString()
    await db.updateTable('tasks').set({ ended_at: old }).where('task_id', '=', task_id).execute()
    const gone = await request('GET', `/v1/tasks/${task_id}`)
    assert.equal(gone.status, 404)
    assert.equal(gone.body.error.code, 'task_not_found')
    assert.equal((await request('POST', '/v1/tasks/list')).body.results.length, 0)
    assert.equal(await app.deps.tasks.purge(), 1)
  })

  test(`lists are newest first, by status, type and namespace, page by page (${dialect})`, async (t) => {
    const { request, insert, update } = await fixture(t, dialect)
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.unshift(await insert())
    await update(ids[2]!, { status: 'IN_PROGRESS' })
    const elsewhere = await insert({ namespace_id: null, task_type: 'api_namespaces_delete' })
    const list = async (body: object, namespace?: string) => {
      const response = await request('POST', '/v1/tasks/list', { body, ...(namespace && { namespace }) })
      assert.equal(response.status, 200, JSON.stringify(response.body))
      return response.body as { results: { task_id: string }[]; pagination: Record<string, unknown> }
    }
    const idsOf = ({ results }: { results: { task_id: string }[] }) => results.map(({ task_id }) => task_id)
    assert.deepEqual(idsOf(await list({})), [elsewhere, ...ids])
    assert.deepEqual(idsOf(await list({}, 'default')), ids)
    assert.deepEqual(idsOf(await list({ status: 'processing' })), [ids[2]])
    assert.deepEqual(idsOf(await list({ task_type: 'api_namespaces_delete' })), [elsewhere])
    assert.equal((await request('POST', '/v1/tasks/list', { namespace: 'nowhere' })).status, 404)
    assert.equal((await request('GET', '/v1/tasks?include_total=true')).body.pagination.total, 6)
    const first = await list({ limit: 4 })
    const second = await list({ limit: 4, cursor: first.pagination.next_cursor })
    assert.deepEqual([...idsOf(first), ...idsOf(second)], [elsewhere, ...ids])
    assert.equal(second.pagination.next_cursor, undefined)
    assert.deepEqual(idsOf(await list({ search: ids[1] })), [ids[1]])
    assert.deepEqual(idsOf(await list({ filters: { task_id: [ids[0], ids[3]] } })), [ids[0], ids[3]])
    assert.deepEqual(idsOf(await list({ sort: { field: 'created_at', direction: 'asc' }, limit: 2 })), [
      ids[4],
      ids[3],
    ])
  })

  test(`killing a task cancels its batch, and anything else is answered alike (${dialect})`, async (t) => {
    const { app, request } = await fixture(t, dialect)
    const make = ingestFixture(app)
    const bucket_id = await make.bucket()
    await make.textCollection(bucket_id)
    const batch_id = await make.batch(bucket_id, await make.objects(bucket_id, [{ body: 'x' }]))
    const { task_id } = await make.submit(bucket_id, batch_id)
    const killed = await request('DELETE', `/v1/tasks/${task_id}`)
    assert.deepEqual(killed.body, { message: 'Successfully deleted', success: true })
    assert.equal((await request('GET', `/v1/tasks/${task_id}`)).body.status, 'CANCELED')
    assert.equal((await make.getBatch(bucket_id, batch_id)).status, 'CANCELED')
    assert.equal(await drainQueue(app.deps), 0)
    for (const path of [`/v1/tasks/${task_id}/kill`, '/v1/tasks/unknown/kill'])
      assert.equal((await request('POST', path)).status, 200)
  })
}
