import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createJobHandlers } from '../../src/engine.ts'
import type { Dialect } from '../../src/platform/db/db.ts'
import { type Job, type JobHandlers, LeaseLostError } from '../../src/platform/queue/queue.ts'
import { assertBatchesSettled } from '../support/batch-invariants.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

const OBJECTS = 70

async function fixture(t: TestContext, dialect: Dialect) {
  const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
  t.after(app.close)
  const make = ingestFixture(app)
  const bucket_id = await make.bucket()
  const texts = await make.textCollection(bucket_id)
  const source = { type: 'collection', collection_id: texts }
  await make.collection('copies', source, { feature_extractor_name: 'passthrough_extractor' })
  const ids = await make.objects(
    bucket_id,
    Array.from({ length: OBJECTS }, (_, i) => ({ title: `t${i}`, body: `Note ${i}.` })),
  )
  const url = (batch_id: string) => `/v1/buckets/${bucket_id}/batches/${batch_id}`
  const post = (batch_id: string, what: string) =>
    make.ok(app.request('POST', `${url(batch_id)}/${what}`, { body: {} }))
  const progress = async (task_id: string) => {
    const task = await make.ok(app.request('GET', `/v1/tasks/${task_id}`))
    return [task.status, task.additional_data.progress.processed, task.additional_data.progress.total]
  }
  return { app, make, bucket_id, texts, ids, post, progress }
}

/** Handlers that do something else at the nth job. */
function atJob(
  app: Parameters<typeof drainQueue>[0],
  nth: number,
  act: (run: () => Promise<void>) => Promise<void>,
) {
  const real = createJobHandlers(app, { retry_delay_ms: 1 })
  let jobs = 0
  const handlers: JobHandlers = {}
  for (const kind of ['plan_tier', 'extract', 'finish_batch'] as const)
    handlers[kind] = async (job: Job, signal: AbortSignal) => {
      const run = () => real[kind]!(job, signal)
      if (++jobs === nth) await act(run)
      else await run()
    }
  return { handlers, seen: () => jobs }
}

for (const dialect of DIALECTS) {
  for (const when of ['before', 'after', 'retried within'] as const)
    test(`a batch that is canceled at any job and retried does every row once (${when} the job, ${dialect})`, async (t) => {
      const { app, make, bucket_id, ids, post } = await fixture(t, dialect)
      for (let nth = 1; ; nth++) {
        const batch_id = await make.batch(bucket_id, ids)
        await make.submit(bucket_id, batch_id)
        const { handlers, seen } = atJob(app.deps, nth, async (run) => {
          if (when === 'after') await run()
          await post(batch_id, 'cancel')
          if (when === 'retried within') await post(batch_id, 'retry')
          if (when !== 'after')
            await run().catch((error) => {
              if (!(error instanceof LeaseLostError)) throw error
            })
        })
        await drainQueue(app.deps, { handlers })
        if (when !== 'retried within' && seen() >= nth) {
          const { status } = await make.getBatch(bucket_id, batch_id)
          // The last job ended the batch before it could be canceled.
          if (status === 'CANCELED') {
            await assertBatchesSettled(app)
            assert.equal((await post(batch_id, 'retry')).retried_count, 0)
            await drainQueue(app.deps)
          }
        }
        const batch = await make.getBatch(bucket_id, batch_id)
        assert.equal(batch.status, 'COMPLETED', `job ${nth}`)
        await assertBatchesSettled(app)
        const { made } = await app.deps.db
          .selectFrom('documents')
          .select((eb) => eb.fn.countAll<number>().as('made'))
          .where('batch_id', '=', batch_id)
          .executeTakeFirstOrThrow()
        assert.equal(Number(made), 2 * OBJECTS, `job ${nth}`)
        const drafts = await app.deps.db
          .selectFrom('objects')
          .select('object_id')
          .where('status', '!=', 'COMPLETED')
          .execute()
        assert.deepEqual(drafts, [])
        if (seen() < nth) return assert.ok(nth > 6)
      }
    })

  test(`a retried batch counts in its task what the cancellation left, and ends with all of it done (${dialect})`, async (t) => {
    const { app, make, bucket_id, ids, post, progress } = await fixture(t, dialect)
    const batch_id = await make.batch(bucket_id, ids)
    await make.submit(bucket_id, batch_id)
    const { handlers } = atJob(app.deps, 3, async (run) => {
      await run()
      await post(batch_id, 'cancel')
    })
    await drainQueue(app.deps, { handlers })
    const { task_id } = await post(batch_id, 'retry')
    await drainQueue(app.deps)
    const [status, processed, total] = await progress(task_id)
    assert.deepEqual([status, processed], ['COMPLETED', total])
    assert.ok(total > 0)
  })

  test(`progress ends full when a collection is deleted while its batch runs (${dialect})`, async (t) => {
    for (const nth of [1, 2, 3]) {
      const { app, make, bucket_id, ids, progress } = await fixture(t, dialect)
      const other = await make.collection(
        'others',
        { type: 'bucket', bucket_ids: [bucket_id] },
        { feature_extractor_name: 'passthrough_extractor' },
      )
      const batch_id = await make.batch(bucket_id, ids)
      const { task_id } = await make.submit(bucket_id, batch_id)
      const { handlers } = atJob(app.deps, nth, async (run) => {
        await make.ok(app.request('DELETE', `/v1/collections/${other}`))
        await run()
      })
      await drainQueue(app.deps, { handlers })
      const [, processed, total] = await progress(task_id)
      assert.equal(processed, total, `job ${nth}`)
    }
  })
}
