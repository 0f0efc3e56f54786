import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createJobHandlers } from '../../src/engine.ts'
import { RowError } from '../../src/extractors/extractor.ts'
import type { Dialect } from '../../src/platform/db/db.ts'
import type { Models } from '../../src/platform/models/models.ts'
import type { Job } from '../../src/platform/queue/queue.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

async function fixture(t: TestContext, dialect: Dialect) {
  const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
  t.after(app.close)
  const make = ingestFixture(app)
  const bucket_id = await make.bucket()
  const path = (batch_id: string) => `/v1/buckets/${bucket_id}/batches/${batch_id}`
  return { app, request: app.request, make, bucket_id, path }
}

const notes = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ title: `note ${i}`, body: `The text of note ${i}.` }))

for (const dialect of DIALECTS) {
  test(`the log of a tier tells what happened and when, in few lines (${dialect})`, async (t) => {
    const { request, make, bucket_id, path } = await fixture(t, dialect)
    const texts = await make.textCollection(bucket_id, {
      field_passthrough: [{ source_path: 'title', required: true }],
    })
    await make.collection(
      'copies',
      { type: 'collection', collection_id: texts },
      { feature_extractor_name: 'passthrough_extractor' },
    )
    const ids = await make.objects(bucket_id, [...notes(70), { body: 'No title.' }])
    const draft = await make.batch(bucket_id, ids)
    assert.deepEqual((await request('GET', `${path(draft)}/logs`)).body, { batch_id: draft, tiers: [] })
    const batch = await make.process(bucket_id, ids)
    const { body } = await request('GET', `${path(batch.batch_id)}/logs`)
    assert.equal(body.batch_id, batch.batch_id)
    const [first, second] = body.tiers
    assert.deepEqual(
      [first.tier_num, first.task_id, first.status],
      [0, batch.tier_tasks[0].task_id, batch.tier_tasks[0].status],
    )
    const lines = first.logs.trimEnd().split('\n')
    const told = lines.map((line: string) => {
      assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S/)
      return line.slice(28)
    })
    assert.deepEqual(
      told.map((line: string) => line.replaceAll(/[\d.]+ s\b/g, '0 s')),
      [
        'The batch was submitted: 71 objects, 2 tiers, priority 0.',
        `Started as task ${first.task_id}: texts (${texts}).`,
        `${texts}: read 71 rows, 71 to be processed.`,
        `${texts}: 64 rows in 0 s: 64 documents.`,
        `${texts}: 7 rows in 0 s: 6 documents, 1 failure.`,
        `${texts}: ${ids[70]} failed (validation): Required fields are missing: title.`,
        'Ended COMPLETED_WITH_ERRORS.',
      ],
    )
    assert.match(second.logs, /The batch ended COMPLETED_WITH_ERRORS/)
    const one = await request('GET', `${path(batch.batch_id)}/logs?tier_num=1`)
    assert.deepEqual(one.body.tiers, [second])
    const none = await request('GET', `${path(batch.batch_id)}/logs?tier_num=2`)
    assert.deepEqual([none.status, none.body.error.code], [404, 'tier_not_found'])
    await make.ok(request('DELETE', path(batch.batch_id)))
    assert.equal((await request('GET', `${path(batch.batch_id)}/logs`)).status, 404)
  })

  test(`a log stays within 1 MB and keeps its end (${dialect})`, async (t) => {
    const { app, request, make, bucket_id, path } = await fixture(t, dialect)
    await make.textCollection(bucket_id)
    const batch = await make.process(bucket_id, await make.objects(bucket_id, notes(1)))
    const { namespace_id } = await app.deps.db
      .selectFrom('batches')
      .select('namespace_id')
      .executeTakeFirstOrThrow()
    for (let i = 0; i < 12; i++)
      await app.deps.db
        .insertInto('batch_logs')
        .values(
          Array.from({ length: 1000 }, (_, n) => ({
            namespace_id,
            batch_id: batch.batch_id,
            tier_num: 0,
            line: `line ${i * 1000 + n} ${'x'.repeat(480)}`,
          })),
        )
        .execute()
    const { body } = await request('GET', `${path(batch.batch_id)}/logs`)
    const { logs } = body.tiers[0]
    assert.ok(Buffer.byteLength(logs) <= 1024 * 1024 && Buffer.byteLength(logs) > 1000_000)
    assert.match(logs, /line 11999 x+\n$/)
  })

  test(`health says how a batch is doing and what to do, and is kept with the batch (${dialect})`, async (t) => {
    const { app, request, make, bucket_id, path } = await fixture(t, dialect)
    await make.textCollection(bucket_id, { field_passthrough: [{ source_path: 'title', required: true }] })
    const ids = await make.objects(bucket_id, [...notes(3), { body: 'No title.' }])
    const batch_id = await make.batch(bucket_id, ids)
    const health = async () => await make.ok(request('GET', `${path(batch_id)}/health`))
    const draft = await health()
    assert.deepEqual([draft.health_status, draft.total_documents], ['HEALTHY', 4])
    assert.match(draft.recommendations[0], /submit/)
    await make.submit(bucket_id, batch_id)
    assert.equal((await health()).health_status, 'HEALTHY')
    const long_ago = new Date(Date.now() - 400_000).toISOString()
    await app.deps.db.updateTable('batches').set({ progress_at: long_ago }).execute()
    const stalled = await health()
    assert.equal(stalled.health_status, 'STALLED')
    assert.ok(stalled.stall_duration_seconds >= 400)
    assert.match(stalled.recommendations[0], /No worker runs/)
    await app.deps.db.updateTable('jobs').set({ last_error: 'no disk' }).execute()
    assert.match((await health()).recommendations[0], /fails and is tried again/)
    const before = await make.getBatch(bucket_id, batch_id)
    await app.deps.queue.lease('w', 'compute')
    const busy = await health()
    assert.match(busy.recommendations[0], /still at one of its rows/)
    const seen = await make.getBatch(bucket_id, batch_id)
    assert.deepEqual(seen.internal_metadata.last_health_check, busy)
    assert.equal(seen.updated_at, before.updated_at, 'a look is no change')
    await app.deps.queue.expireLeases(['w'])
    await drainQueue(app.deps)
    const done = await health()
    assert.deepEqual(
      [
        done.health_status,
        done.total_documents,
        done.processed_documents,
        done.enriched_documents,
        done.vector_populated_count,
      ],
      ['DEGRADED', 4, 4, 3, 3],
    )
    assert.equal(done.stall_duration_seconds, 0)
    assert.match(done.recommendations[0], /1 failure needs a change first/)
    const failed = await make.process(bucket_id, [ids[3]!])
    const { body } = await request('GET', `${path(failed.batch_id)}/health`)
    assert.equal(body.health_status, 'FAILED')
  })

  test(`batches can be searched, filtered and sorted; a wrong question is a 4xx (${dialect})`, async (t) => {
    const { request, make, bucket_id, path } = await fixture(t, dialect)
    const ids = await make.objects(bucket_id, notes(3))
    const all: string[] = []
    for (let i = 0; i < 3; i++) {
      const batch_id = await make.batch(bucket_id, ids.slice(0, i + 1))
      all.push(batch_id)
      await make.ok(
        request('PATCH', path(batch_id), { body: { metadata: { run: `Run ${i}`, nightly: i > 0 } } }),
      )
    }
    const list = async (body: object) => {
      const answer = await make.ok(request('POST', `/v1/buckets/${bucket_id}/batches/list`, { body }))
      return [answer.results.map(({ batch_id }: { batch_id: string }) => batch_id), answer.total_count]
    }
    assert.deepEqual(await list({ search: 'run 1' }), [[all[1]], 1])
    assert.deepEqual(await list({ search: 'run 1', case_sensitive: true }), [[], 0])
    assert.deepEqual(await list({ filters: { 'metadata.nightly': true } }), [[all[2], all[1]], 2])
    assert.deepEqual(await list({ filters: { object_count: { gte: 2 } }, limit: 1 }), [[all[2]], 2])
    assert.deepEqual(await list({ sort: { field: 'object_count', direction: 'asc' } }), [all, 3])
    assert.deepEqual(await list({ status: 'queued' }), [[], 0])
    const bad = [
      { filters: { field: 'status', operator: 'like', value: 'x' } },
      { sort: { field: 'status', direction: 'sideways' } },
      { limit: 1001 },
      { cursor: 'nonsense' },
    ]
    for (const body of bad) {
      const { status } = await request('POST', `/v1/buckets/${bucket_id}/batches/list`, { body })
      assert.ok(status === 422 || status === 400, `${JSON.stringify(body)} ${status}`)
    }
  })

  test(`a small urgent batch overtakes a long one that runs already (${dialect})`, async (t) => {
    const { app, make, request, bucket_id, path } = await fixture(t, dialect)
    await make.textCollection(bucket_id)
    const long = await make.objects(bucket_id, notes(200))
    const slow = await make.batch(bucket_id, long)
    await make.submit(bucket_id, slow)
    const real = createJobHandlers(app.deps, { retry_delay_ms: 1 })
    const order: string[] = []
    let urgent = ''
    const watch = async (job: Job, signal: AbortSignal) => {
      order.push(job.batch_id!)
      // The urgent batch comes while the long one is at its first rows.
      if (urgent === '' && job.kind === 'extract') {
        urgent = await make.batch(bucket_id, long.slice(0, 2))
        const body = { priority: 5 }
        await make.ok(request('POST', `${path(urgent)}/submit`, { body }))
      }
      await real[job.kind]!(job, signal)
    }
    await drainQueue(app.deps, { handlers: { plan_tier: watch, extract: watch, finish_batch: watch } })
    assert.deepEqual(order, [slow, slow, urgent, urgent, urgent, slow, slow, slow, slow])
    assert.equal((await make.getBatch(bucket_id, urgent)).priority, 5)
  })

  test(`a priority that is changed later holds for jobs that wait (${dialect})`, async (t) => {
    const { app, make, request, bucket_id, path } = await fixture(t, dialect)
    await make.textCollection(bucket_id)
    const ids = await make.objects(bucket_id, notes(1))
    const first = await make.batch(bucket_id, ids)
    const second = await make.batch(bucket_id, ids)
    await make.submit(bucket_id, first)
    await make.submit(bucket_id, second)
    await make.ok(request('PATCH', path(second), { body: { priority: 1 } }))
    assert.equal((await app.deps.queue.lease('w', 'compute'))?.batch_id, second)
    for (const priority of [11, -11, 'soon'])
      assert.equal((await request('PATCH', path(first), { body: { priority } })).status, 422)
  })

  test(`progress has its whole length from the start, and shrinks by what filters keep out (${dialect})`, async (t) => {
    const { app, make, request, bucket_id } = await fixture(t, dialect)
    await make.textCollection(
      bucket_id,
      {},
      {
        source_filters: { filters: { field: 'title', operator: 'ne', value: 'note 1' } },
      },
    )
    const batch_id = await make.batch(bucket_id, await make.objects(bucket_id, notes(5)))
    const { task_id, additional_data } = await make.submit(bucket_id, batch_id)
    assert.deepEqual(additional_data.progress, { processed: 0, total: 5 })
    await drainQueue(app.deps)
    const { body } = await request('GET', `/v1/tasks/${task_id}`)
    const { processed, total, rate_per_second } = body.additional_data.progress
    assert.deepEqual([processed, total], [4, 4])
    assert.ok(rate_per_second > 0)
    const tier = (await make.getBatch(bucket_id, batch_id)).tier_tasks[0]
    const tierTask = await request('GET', `/v1/tasks/${tier.task_id}`)
    assert.deepEqual(
      [tierTask.body.additional_data.progress.processed, tierTask.body.additional_data.progress.total],
      [4, 4],
    )
  })

  test(`retrying takes the failures that the request means, counts retries, and stops at their limit (${dialect})`, async (t) => {
    const { app, make, request, bucket_id, path } = await fixture(t, dialect)
    await make.textCollection(bucket_id)
    const ids = await make.objects(bucket_id, notes(2))
    const { models } = app.deps
    const failing = (type: 'network' | 'validation'): Models => ({
      describe: (slot) => models.describe(slot),
      close: () => models.close(),
      embedding: async () => {
        throw new RowError(type, `A failure of kind ${type}.`)
      },
    })
    const handlersOf = (type: 'network' | 'validation') =>
      createJobHandlers({ ...app.deps, models: failing(type) }, { retry_delay_ms: 1 })
    const batch = await make.process(bucket_id, ids, { handlers: handlersOf('network') })
    assert.equal(batch.status, 'FAILED')
    const url = path(batch.batch_id)
    const retry = async (body: object) => await make.ok(request('POST', `${url}/retry`, { body }))
    const counts = ({ retried_count, skipped_count }: Record<string, number>) => [
      retried_count,
      skipped_count,
    ]
    assert.deepEqual(counts(await retry({ tier_nums: [1] })), [0, 2])
    for (let round = 1; round <= 2; round++) {
      assert.deepEqual(counts(await retry({ max_retry_count: 2, tier_nums: [0] })), [2, 0])
      await drainQueue(app.deps, { handlers: handlersOf('network') })
    }
    const { body } = await request('GET', `${url}/failed-documents`)
    assert.deepEqual(
      body.results.map(({ retry_count, error_type, last_retry_at }: Record<string, unknown>) => [
        retry_count,
        error_type,
        typeof last_retry_at,
      ]),
      [
        [2, 'network', 'string'],
        [2, 'network', 'string'],
      ],
    )
    assert.deepEqual(counts(await retry({ max_retry_count: 2 })), [0, 2])
    assert.deepEqual(counts(await retry({ tier_nums: [] })), [2, 0], 'an empty list means all tiers')
    await drainQueue(app.deps, { handlers: handlersOf('validation') })
    assert.deepEqual(counts(await retry({ max_retry_count: 10 })), [0, 2], 'permanent failures need mode all')
    assert.deepEqual(counts(await retry({ retry_mode: 'all', max_retry_count: 10 })), [2, 0])
    await drainQueue(app.deps)
    const repaired = await make.getBatch(bucket_id, batch.batch_id)
    assert.equal(repaired.status, 'COMPLETED')
    assert.equal(repaired.error_summary, undefined)
    assert.equal(repaired.tier_tasks[0].documents_written, 2)
    for (const body of [{ max_retry_count: 0 }, { max_retry_count: 11 }, { retry_mode: 'some' }])
      assert.equal((await request('POST', `${url}/retry`, { body })).status, 422)
  })

  test(`there is never a vector left to write (${dialect})`, async (t) => {
    const { make, request, bucket_id, path } = await fixture(t, dialect)
    await make.textCollection(bucket_id)
    const { batch_id } = await make.process(bucket_id, await make.objects(bucket_id, notes(1)))
    const { body } = await request('POST', `${path(batch_id)}/tiers/0/retry-qdrant-write`)
    assert.deepEqual(
      [body.batch_id, body.tier_num, body.status, body.documents_written],
      [batch_id, 0, 'COMPLETED', 0],
    )
    const none = await request('POST', `${path(batch_id)}/tiers/7/retry-qdrant-write`)
    assert.equal(none.body.error.code, 'tier_not_found')
    assert.equal((await request('POST', `${path(batch_id)}/tiers/x/retry-qdrant-write`)).status, 422)
  })
}
