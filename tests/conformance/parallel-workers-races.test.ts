import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createJobHandlers } from '../../src/engine.ts'
import type { Dialect } from '../../src/platform/db/db.ts'
import type { Job, JobQueue } from '../../src/platform/queue/queue.ts'
import { LeaseLostError } from '../../src/platform/queue/queue.ts'
import { assertBatchesSettled } from '../support/batch-invariants.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { startWorker } from '../support/start-worker.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const ROUNDS = 12

async function fixture(t: TestContext, dialect: Dialect) {
  const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
  t.after(app.close)
  const make = ingestFixture(app)
  const bucket_id = await make.bucket()
  const texts = await make.textCollection(bucket_id)
  await make.collection(
    'copies',
    { type: 'collection', collection_id: texts },
    { feature_extractor_name: 'passthrough_extractor' },
  )
  const ids = await make.objects(
    bucket_id,
    Array.from({ length: 12 }, (_, i) => ({ title: `t${i}`, body: `Note ${i}.` })),
  )
  const path = (batch_id: string) => `/v1/buckets/${bucket_id}/batches/${batch_id}`
  return { app, request: app.request, make, bucket_id, ids, path }
}

async function untilIdle({ deps }: TestApp): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const job = await deps.db.selectFrom('jobs').select('job_id').limit(1).executeTakeFirst()
    if (!job) return
    await sleep(50)
  }
  assert.fail('the jobs never ended')
}

const random = (below: number) => Math.floor(Math.random() * below)

for (const dialect of DIALECTS) {
  test(`objects added while a batch is submitted are in it, or were refused; two submits are one (${dialect})`, async (t) => {
    const { app, request, make, bucket_id, ids, path } = await fixture(t, dialect)
    for (let round = 0; round < ROUNDS; round++) {
      const batch_id = await make.batch(bucket_id, [ids[0]!])
      const url = path(batch_id)
      const add = (id: string) => request('POST', `${url}/objects`, { body: { object_ids: [id] } })
      const [first, one, second, two, three] = await Promise.all([
        request('POST', `${url}/submit`),
        add(ids[1]!),
        request('POST', `${url}/submit`),
        add(ids[2]!),
        add(ids[1]!),
      ])
      assert.deepEqual([first.status, second.status], [200, 200])
      assert.equal(first.body.task_id, second.body.task_id)
      const added = new Set([ids[0]])
      for (const [answer, id] of [
        [one, ids[1]],
        [two, ids[2]],
        [three, ids[1]],
      ] as const) {
        if (answer.status === 200) added.add(id)
        else assert.equal(answer.body.error.code, 'batch_not_draft')
      }
      await drainQueue(app.deps)
      const batch = await make.getBatch(bucket_id, batch_id)
      assert.deepEqual(new Set(batch.object_ids), added)
      assert.equal(batch.object_count, added.size)
      assert.equal(batch.tier_tasks[0].source_documents_fetched, added.size)
    }
    await assertBatchesSettled(app)
  })

  test(`canceling, retrying, deleting and finishing at once leave every counter exact (${dialect})`, async (t) => {
    const { app, request, make, bucket_id, ids, path } = await fixture(t, dialect)
    const stops = [await startWorker(app, 'w1'), await startWorker(app, 'w2')]
    const statuses = new Map<string, number>()
    const send = async (method: 'POST' | 'DELETE', url: string, body?: object) => {
      await sleep(random(60))
      const { status, body: answer } = await request(method, url, body && { body })
      const key = status === 200 ? '200' : String(answer.error.code)
      statuses.set(key, (statuses.get(key) ?? 0) + 1)
      assert.ok(status < 500, JSON.stringify(answer))
    }
    try {
      for (let round = 0; round < ROUNDS; round++) {
        // An object that is away makes failures that can be retried.
        const body = { object_ids: [...ids.slice(0, 1 + random(ids.length)), `obj_away${round}`] }
        const url = `/v1/buckets/${bucket_id}/batches?skip_validation=true`
        const { batch_id } = await make.ok(request('POST', url, { body }))
        await Promise.all([
          send('POST', `${path(batch_id)}/submit`),
          send('POST', `${path(batch_id)}/cancel`),
          send('POST', `${path(batch_id)}/retry`, { retry_mode: 'all' }),
          send('POST', `${path(batch_id)}/cancel`),
          ...(round % 3 === 0 ? [send('DELETE', path(batch_id))] : []),
        ])
        await send('POST', `${path(batch_id)}/retry`, { retry_mode: 'all' })
      }
      await untilIdle(app)
    } finally {
      for (const stop of stops) await stop()
    }
    assert.ok((statuses.get('200') ?? 0) >= ROUNDS, JSON.stringify([...statuses]))
    await assertBatchesSettled(app)
  })

  test(`a job that outlives the cancellation of its batch settles nothing of a retry (${dialect})`, async (t) => {
    const { app, make, request, bucket_id, path } = await fixture(t, dialect)
    const many = await make.objects(
      bucket_id,
      Array.from({ length: 70 }, (_, i) => ({ title: `m${i}`, body: `Note ${i}.` })),
    )
    // The first job has a row that fails; the second is cut off by the cancellation.
    const url = `/v1/buckets/${bucket_id}/batches?skip_validation=true`
    const body = { object_ids: ['obj_away', ...many] }
    const { batch_id } = await make.ok(request('POST', url, { body }))
    await make.submit(bucket_id, batch_id)
    const real = createJobHandlers(app.deps)
    let extracted = 0
    const extract = async (job: Job, signal: AbortSignal) => {
      if (++extracted === 2) {
        await make.ok(request('POST', `${path(batch_id)}/cancel`))
        const retried = await make.ok(
          request('POST', `${path(batch_id)}/retry`, { body: { retry_mode: 'all' } }),
        )
        assert.equal(retried.retried_count, 1)
      }
      await real.extract!(job, signal)
    }
    await drainQueue(app.deps, { handlers: { extract } })
    const batch = await make.getBatch(bucket_id, batch_id)
    assert.equal(batch.status, 'COMPLETED_WITH_ERRORS')
    assert.deepEqual(batch.error_summary, { validation: 1 })
    await assertBatchesSettled(app)
  })

  test(`a worker that dies at any step of any job changes nothing but the time it takes (${dialect})`, async (t) => {
    const { app, make, bucket_id, ids } = await fixture(t, dialect)
    const whole = await make.process(bucket_id, ids)
    const { queue } = app.deps
    // Before its commit a job has called the queue once or more; then it has committed, or it has not.
    for (const moment of ['before', 'complete', 'enqueue', 'after'] as const) {
      let deaths = 0
      const dies = async (): Promise<never> => {
        deaths++
        throw new LeaseLostError('the worker is dead')
      }
      const dying = (): JobQueue =>
        Object.assign(Object.create(queue), {
          complete: async (trx: never, own: Job) => {
            await queue.complete(trx, own)
            if (moment === 'complete') await dies()
          },
          enqueue: async (trx: never, jobs: never) => {
            await queue.enqueue(trx, jobs)
            if (moment === 'enqueue') await dies()
          },
          wake: () => queue.wake(),
        })
      const healthy = createJobHandlers(app.deps)
      const seen = new Set<string>()
      const once = async (job: Job, signal: AbortSignal) => {
        // Each job dies on its first run; whatever follows it is another job.
        if (seen.has(job.job_id)) return healthy[job.kind]!(job, signal)
        seen.add(job.job_id)
        try {
          if (moment === 'before') await dies()
          await createJobHandlers({ ...app.deps, queue: dying() })[job.kind]!(job, signal)
          if (moment === 'after') await dies()
        } finally {
          await queue.expireLeases(await queue.listWorkers())
        }
      }
      const handlers = { plan_tier: once, extract: once, finish_batch: once }
      const batch = await make.process(bucket_id, ids, { handlers })
      assert.ok(deaths >= 4, `${moment}: ${deaths} deaths`)
      assert.equal(batch.status, 'COMPLETED')
      assert.deepEqual(countersOf(batch), countersOf(whole), moment)
      await assertBatchesSettled(app)
    }
  })
}

type Tier = Record<string, unknown>

const countersOf = ({ tier_tasks }: { tier_tasks: Tier[] }) =>
  tier_tasks.map((tier) => [
    tier.source_documents_fetched,
    tier.documents_after_source_filter,
    tier.documents_missing_input_fields,
    tier.documents_submitted_to_engine,
    tier.documents_written,
  ])
