import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Dialect } from '../../src/platform/db/db.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

async function fixture(t: TestContext, dialect: Dialect) {
  const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
  t.after(app.close)
  return { app, request: app.request, make: ingestFixture(app) }
}

const note = (i: number) => ({ title: `note ${i}`, body: `The text of note number ${i}.` })
const notes = (count: number) => Array.from({ length: count }, (_, i) => note(i))

for (const dialect of DIALECTS) {
  test(`a batch turns objects into documents, and batch, tier, tasks, objects and counters say so (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const collection_id = await make.textCollection(bucket_id)
    const ids = await make.objects(bucket_id, notes(3))
    const created = await request('POST', `/v1/buckets/${bucket_id}/batches`, {
      body: { object_ids: [...ids, ids[0]], metadata: { run: 1 } },
    })
    assert.equal(created.body.status, 'DRAFT')
    assert.deepEqual(created.body.object_ids, ids, 'duplicates are dropped, order is kept')
    assert.deepEqual(created.body.dag_tiers, [[collection_id]])
    const { batch_id } = created.body

    const task = await make.submit(bucket_id, batch_id)
    assert.equal(task.task_type, 'api_buckets_batches_process')
    assert.equal(task.status, 'PENDING')
    assert.deepEqual(task.inputs, [batch_id])
    assert.deepEqual(task.additional_data.sample_object_ids, ids)
    assert.equal(
      (await make.submit(bucket_id, batch_id)).task_id,
      task.task_id,
      'submitting again is idempotent',
    )
    const waiting = await request('GET', `/v1/buckets/${bucket_id}/objects/${ids[0]}`)
    assert.equal(waiting.body.status, 'PENDING')

    await drainQueue(app.deps)
    const batch = await make.getBatch(bucket_id, batch_id)
    assert.equal(batch.status, 'COMPLETED')
    assert.equal(batch.error, undefined)
    const [tier] = batch.tier_tasks
    assert.equal(tier.status, 'COMPLETED')
    assert.deepEqual(counters(tier), { fetched: 3, filtered: 3, missing: 0, submitted: 3, written: 3 })
    assert.equal(tier.extractor_jobs[0].extractor_type, 'text_extractor_v1')
    assert.equal(tier.extractor_jobs[0].documents_written, 3)

    const done = await request('GET', `/v1/tasks/${task.task_id}`)
    assert.equal(done.body.status, 'COMPLETED')
    assert.equal(done.body.additional_data.progress.processed, 3)
    assert.equal(done.body.additional_data.progress.total, 3)
    const tierTask = await request('GET', `/v1/tasks/${tier.task_id}`)
    assert.equal(tierTask.body.status, 'COMPLETED')
    const object = await request('GET', `/v1/buckets/${bucket_id}/objects/${ids[0]}`)
    assert.equal(object.body.status, 'COMPLETED')

    const documents = await make.documents(collection_id)
    assert.equal(documents.length, 3)
    const first = documents.find((one) => one._internal.lineage.root_object_id === ids[0])
    assert.equal(first.title, 'note 0')
    assert.equal(first.text, note(0).body)
    assert.equal(first.__fully_enriched, true)
    assert.equal(first._internal.lineage.root_bucket_id, bucket_id)
    assert.equal(first._internal.lineage.path, `${bucket_id}/${collection_id}`)
    assert.equal(first._internal.lineage.processing_tier, 1)
    assert.equal(first._internal.processing.history[0].batch_id, batch_id)
    const collection = await request('GET', `/v1/collections/${collection_id}`)
    assert.equal(collection.body.document_count, 3)
    const bucket = await request('GET', `/v1/buckets/${bucket_id}`)
    assert.deepEqual(bucket.body.batch_stats, { total: 1, active: 0, completed: 1, failed: 0 })
  })

  test(`a second tier reads what the first wrote, after its filter, and copies its vectors (${dialect})`, async (t) => {
    const { app, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const copies = await make.collection(
      'copies',
      {
        type: 'collection',
        collection_id: texts,
        source_filters: { filters: { field: 'title', operator: 'ne', value: 'note 1' } },
      },
      { feature_extractor_name: 'passthrough_extractor' },
    )
    const ids = await make.objects(bucket_id, notes(4))
    const batch = await make.process(bucket_id, ids)
    assert.equal(batch.status, 'COMPLETED')
    assert.deepEqual(batch.dag_tiers, [[texts], [copies]])
    const [first, second] = batch.tier_tasks
    assert.deepEqual(counters(first), { fetched: 4, filtered: 4, missing: 0, submitted: 4, written: 4 })
    assert.deepEqual(counters(second), { fetched: 4, filtered: 3, missing: 0, submitted: 3, written: 3 })
    assert.equal(second.parent_task_id, first.task_id)
    assert.deepEqual(second.source_collection_ids, [texts])
    const documents = await make.documents(copies)
    assert.deepEqual(documents.map((one) => one.title).sort(), ['note 0', 'note 2', 'note 3'])
    const { lineage } = documents[0]._internal
    assert.equal(lineage.source_collection_id, texts)
    assert.equal(lineage.processing_tier, 2)
    assert.equal(lineage.chain.length, 2)
    const vectors = await app.deps.db.selectFrom('vectors').select('collection_id').execute()
    const copied = vectors.filter(({ collection_id }) => collection_id === copies)
    assert.equal(copied.length, 3, 'the upstream vectors come along')
  })

  test(`a row that fails leaves the others alone, and is listed with its reason (${dialect})`, async (t) => {
    const { request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket({}, { picture: { type: 'image' } })
    const collection_id = await make.collection(
      'pictures',
      { type: 'bucket', bucket_ids: [bucket_id] },
      { feature_extractor_name: 'image_extractor', input_mappings: { image: 'picture' } },
    )
    const broken = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(64)])
    const ids = await make.objects(bucket_id, [
      picture(RED_PIXEL),
      picture(broken.toString('base64'), 'image/jpeg'),
      { title: 'without a picture' },
    ])
    const batch = await make.process(bucket_id, ids)
    assert.equal(batch.status, 'COMPLETED_WITH_ERRORS')
    const [tier] = batch.tier_tasks
    assert.deepEqual(counters(tier), { fetched: 3, filtered: 3, missing: 1, submitted: 2, written: 1 })
    assert.deepEqual(batch.error_summary, { validation: 1 })
    assert.equal(tier.errors[0].affected_count, 1)
    assert.deepEqual(tier.errors[0].affected_document_ids, [ids[1]])
    const failed = await request('GET', `/v1/buckets/${bucket_id}/batches/${batch.batch_id}/failed-documents`)
    assert.equal(failed.body.total, 1)
    const [failure] = failed.body.results
    assert.equal(failure.object_id, ids[1])
    assert.equal(failure.collection_id, collection_id)
    assert.equal(failure.error_type, 'validation')
    assert.equal(failure.is_transient, false)
    const statuses = await Promise.all(
      ids.map(async (id) => (await request('GET', `/v1/buckets/${bucket_id}/objects/${id}`)).body),
    )
    assert.deepEqual(
      statuses.map(({ status }) => status),
      ['COMPLETED', 'FAILED', 'COMPLETED'],
    )
    assert.equal(statuses[1].error, failure.message)
  })

  test(`a tier that writes nothing and fails ends the batch, and later tiers are skipped (${dialect})`, async (t) => {
    const { request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id, {
      field_passthrough: [{ source_path: 'title', required: true }],
    })
    await make.collection(
      'copies',
      { type: 'collection', collection_id: texts },
      { feature_extractor_name: 'passthrough_extractor' },
    )
    const ids = await make.objects(bucket_id, [{ body: 'No title here.' }])
    const batch = await make.process(bucket_id, ids)
    assert.equal(batch.status, 'FAILED')
    assert.match(batch.error, /^Tier 0 failed: Required fields are missing: title/)
    assert.deepEqual(
      batch.tier_tasks.map((tier: { status: string }) => tier.status),
      ['FAILED', 'SKIPPED'],
    )
    const task = await request('GET', `/v1/tasks/${batch.task_id}`)
    assert.equal(task.body.status, 'FAILED')
    assert.equal(task.body.error_message, batch.error)
    const bucket = await request('GET', `/v1/buckets/${bucket_id}`)
    assert.equal(bucket.body.batch_stats.failed, 1)
  })

  test(`one of two collections may fail entirely: the next tier runs on the other alone (${dialect})`, async (t) => {
    const { make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const good = await make.textCollection(bucket_id)
    const bad = await make.collection(
      'bad',
      { type: 'bucket', bucket_ids: [bucket_id] },
      {
        feature_extractor_name: 'passthrough_extractor',
        field_passthrough: [{ source_path: 'title', required: true }],
      },
    )
    const passthrough = { feature_extractor_name: 'passthrough_extractor' }
    const ofGood = await make.collection('of-good', { type: 'collection', collection_id: good }, passthrough)
    const ofBad = await make.collection('of-bad', { type: 'collection', collection_id: bad }, passthrough)
    const batch = await make.process(bucket_id, await make.objects(bucket_id, [{ body: 'x' }, { body: 'y' }]))
    assert.equal(batch.status, 'COMPLETED_WITH_ERRORS')
    const [first, second] = batch.tier_tasks
    assert.equal(first.status, 'COMPLETED_WITH_ERRORS')
    assert.equal(second.status, 'COMPLETED')
    assert.equal((await make.documents(ofGood)).length, 2)
    assert.equal((await make.documents(ofBad)).length, 0)
  })

  test(`with a unique key, processing again keeps ids and creation times and drops stale chunks with what derives from them (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket({ unique_key: { fields: ['title'], default_policy: 'upsert' } })
    const texts = await make.textCollection(bucket_id, {
      parameters: { split_by: 'paragraphs', chunk_size: 1 },
    })
    const copies = await make.collection(
      'copies',
      { type: 'collection', collection_id: texts },
      { feature_extractor_name: 'passthrough_extractor' },
    )
    const [id] = await make.objects(bucket_id, [{ title: 'doc', body: 'One.\n\nTwo.\n\nThree.' }])
    await make.process(bucket_id, [id!])
    const before = await make.documents(texts)
    assert.equal(before.length, 3)
    assert.equal((await make.documents(copies)).length, 3)

    await make.objects(bucket_id, [{ title: 'doc', body: 'One.\n\nNew two.' }])
    const batch = await make.process(bucket_id, [id!])
    assert.equal(batch.tier_tasks[0].documents_written, 2)
    const after = await make.documents(texts)
    assert.deepEqual(after.map(({ text }) => text).sort(), ['New two.', 'One.'])
    const kept = before.find(({ text }) => text === 'One.')
    const again = after.find(({ text }) => text === 'One.')
    assert.equal(again.document_id, kept.document_id)
    assert.equal(again._internal.created_at, kept._internal.created_at)
    assert.ok(again._internal.updated_at > kept._internal.updated_at)
    assert.equal((await make.documents(copies)).length, 2, 'the copy of the third chunk is gone')
    for (const [collection_id, count] of [
      [texts, 2],
      [copies, 2],
    ] as const) {
      const collection = await request('GET', `/v1/collections/${collection_id}`)
      assert.equal(collection.body.document_count, count)
    }
    const { db } = app.deps
    assert.equal((await db.selectFrom('vectors').select('document_seq').execute()).length, 4)
    assert.equal((await db.selectFrom('lexical_texts').select('document_seq').execute()).length, 4)
  })

  test(`without a unique key a second batch makes new documents (${dialect})`, async (t) => {
    const { make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const ids = await make.objects(bucket_id, notes(1))
    await make.process(bucket_id, ids)
    await make.process(bucket_id, ids)
    assert.equal((await make.documents(texts)).length, 2)
  })

  test(`running the jobs of a batch twice writes the same documents (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const ids = await make.objects(bucket_id, notes(2))
    const batch = await make.process(bucket_id, ids)
    const before = await make.documents(texts)
    // As after a crash between the commit of the documents and the answer to the worker.
    const { db, queue } = app.deps
    await db.updateTable('batches').set({ status: 'IN_PROGRESS' }).execute()
    await db.updateTable('batch_tiers').set({ jobs_open: 1 }).execute()
    const namespace = await db.selectFrom('batches').select('namespace_id').executeTakeFirstOrThrow()
    const organization = await db.selectFrom('tasks').select('organization_id').executeTakeFirstOrThrow()
    await db.transaction().execute((trx) =>
      queue.enqueue(trx, [
        {
          ...namespace,
          ...organization,
          kind: 'extract',
          payload: { collection_id: texts, rows: ids },
          batch_id: batch.batch_id,
          tier_num: 0,
        },
      ]),
    )
    await drainQueue(app.deps)
    const after = await make.documents(texts)
    const identity = (documents: typeof after) => documents.map(({ document_id }) => document_id).sort()
    assert.deepEqual(identity(after), identity(before))
    assert.equal((await request('GET', `/v1/collections/${texts}`)).body.document_count, 2)
  })

  test(`canceling stops what waits, keeps what is written, and is final (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const ids = await make.objects(bucket_id, notes(2))
    const batch_id = await make.batch(bucket_id, ids)
    const path = `/v1/buckets/${bucket_id}/batches/${batch_id}`
    const draft = await request('POST', `${path}/cancel`)
    assert.equal(draft.body.error.code, 'batch_is_draft')
    await make.submit(bucket_id, batch_id)
    const canceled = await request('POST', `${path}/cancel`)
    assert.equal(canceled.body.status, 'CANCELED')
    assert.equal(await drainQueue(app.deps), 0, 'no job is left')
    const batch = await make.getBatch(bucket_id, batch_id)
    assert.equal(batch.status, 'CANCELED')
    assert.equal(batch.tier_tasks[0].status, 'CANCELED')
    assert.equal((await make.documents(texts)).length, 0)
    const object = await request('GET', `/v1/buckets/${bucket_id}/objects/${ids[0]}`)
    assert.equal(object.body.status, 'DRAFT')
    assert.equal((await request('POST', `${path}/cancel`)).body.status, 'CANCELED')
    assert.equal((await request('POST', `${path}/submit`)).body.error.code, 'batch_finished')
    const bucket = await request('GET', `/v1/buckets/${bucket_id}`)
    assert.deepEqual(bucket.body.batch_stats, { total: 1, active: 0, completed: 0, failed: 0 })
  })

  test(`a job that runs while its batch is canceled keeps its documents and starts nothing more (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const ids = await make.objects(bucket_id, notes(2))
    const batch_id = await make.batch(bucket_id, ids)
    await make.submit(bucket_id, batch_id)
    const { createJobHandlers } = await import('../../src/engine.ts')
    const real = createJobHandlers(app.deps)
    await drainQueue(app.deps, {
      handlers: {
        extract: async (job, signal) => {
          await real.extract!(job, signal)
        },
        finish_batch: async () => assert.fail('a canceled batch has no last job'),
        plan_tier: async (job, signal) => {
          await real.plan_tier!(job, signal)
          // The extract job waits; running jobs are what canceling does not remove.
          await app.deps.db.updateTable('jobs').set({ status: 'running' }).execute()
          await request('POST', `/v1/buckets/${bucket_id}/batches/${batch_id}/cancel`)
          await app.deps.db.updateTable('jobs').set({ status: 'queued' }).execute()
        },
      },
    })
    const batch = await make.getBatch(bucket_id, batch_id)
    assert.equal(batch.status, 'CANCELED')
    assert.equal((await make.documents(texts)).length, 0)
  })

  test(`a row that took down three workers fails alone, and its neighbours are written (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const ids = await make.objects(bucket_id, notes(3))
    const batch_id = await make.batch(bucket_id, ids)
    await make.submit(bucket_id, batch_id)
    const { createJobHandlers } = await import('../../src/engine.ts')
    const real = createJobHandlers(app.deps)
    let deaths = 0
    await drainQueue(app.deps, {
      handlers: {
        extract: async (job, signal) => {
          const { rows } = job.payload as { rows: string[] }
          const kills = rows.includes(ids[1]!)
          if (!kills || (rows.length > 1 && job.attempt > 1) || job.attempt > 3)
            return real.extract!(job, signal)
          deaths++
          // What remains of a worker that was killed: a lease that nobody prolongs.
          await app.deps.queue.expireLeases(await app.deps.queue.listWorkers())
          throw new (await import('../../src/platform/queue/queue.ts')).LeaseLostError(job.job_id)
        },
      },
    })
    assert.equal(deaths, 4, 'once in company, three times alone')
    const batch = await make.getBatch(bucket_id, batch_id)
    assert.equal(batch.status, 'COMPLETED_WITH_ERRORS')
    assert.deepEqual(counters(batch.tier_tasks[0]), {
      fetched: 3,
      filtered: 3,
      missing: 0,
      submitted: 3,
      written: 2,
    })
    const failed = await request('GET', `/v1/buckets/${bucket_id}/batches/${batch_id}/failed-documents`)
    assert.equal(failed.body.results[0].error_type, 'resource')
    assert.match(failed.body.results[0].message, /worker process died/)
    assert.equal((await make.documents(texts)).length, 2)
  })

  test(`failed rows can be retried, with the tiers after them (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const copies = await make.collection(
      'copies',
      { type: 'collection', collection_id: texts },
      { feature_extractor_name: 'passthrough_extractor' },
    )
    const ids = await make.objects(bucket_id, notes(2))
    // The second object is away while the batch runs.
    const { db } = app.deps
    const [, second] = await db.selectFrom('objects').selectAll().orderBy('created_at').execute()
    await db.deleteFrom('objects').where('object_id', '=', ids[1]!).execute()
    const batch_id = await makeBatchOf(make, request, bucket_id, ids)
    await make.submit(bucket_id, batch_id)
    await drainQueue(app.deps)
    const path = `/v1/buckets/${bucket_id}/batches/${batch_id}`
    assert.equal((await make.getBatch(bucket_id, batch_id)).status, 'COMPLETED_WITH_ERRORS')
    const none = await request('POST', `${path}/retry`, { body: { retry_mode: 'transient_only' } })
    assert.deepEqual([none.body.retried_count, none.body.skipped_count, none.body.task_id], [0, 1, undefined])

    await db.insertInto('objects').values(second!).execute()
    const retried = await request('POST', `${path}/retry`, { body: { retry_mode: 'all' } })
    assert.equal(retried.body.retried_count, 1)
    assert.equal((await request('POST', `${path}/retry`)).body.error.code, 'batch_not_terminal')
    await drainQueue(app.deps)
    const batch = await make.getBatch(bucket_id, batch_id)
    assert.equal(batch.status, 'COMPLETED')
    assert.equal(batch.task_id, retried.body.task_id)
    assert.deepEqual(counters(batch.tier_tasks[0]), {
      fetched: 2,
      filtered: 2,
      missing: 0,
      submitted: 2,
      written: 2,
    })
    assert.deepEqual(counters(batch.tier_tasks[1]), {
      fetched: 2,
      filtered: 2,
      missing: 0,
      submitted: 2,
      written: 2,
    })
    assert.equal((await make.documents(copies)).length, 2)
    assert.equal((await request('GET', `/v1/tasks/${batch.task_id}`)).body.status, 'COMPLETED')
  })

  test(`a collection that is deleted meanwhile is skipped (${dialect})`, async (t) => {
    const { app, request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const texts = await make.textCollection(bucket_id)
    const copies = await make.collection(
      'copies',
      { type: 'bucket', bucket_ids: [bucket_id] },
      { feature_extractor_name: 'passthrough_extractor' },
    )
    const batch_id = await make.batch(bucket_id, await make.objects(bucket_id, notes(2)))
    await make.submit(bucket_id, batch_id)
    await make.ok(request('DELETE', `/v1/collections/${texts}`))
    await drainQueue(app.deps)
    const batch = await make.getBatch(bucket_id, batch_id)
    assert.equal(batch.status, 'COMPLETED')
    assert.equal((await make.documents(copies)).length, 2)
    const { db } = app.deps
    const left = await db
      .selectFrom('documents')
      .select('document_id')
      .where('collection_id', '=', texts)
      .execute()
    assert.equal(left.length, 0)
  })

  test(`batches refuse what cannot be run, each with its reason (${dialect})`, async (t) => {
    const { request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const path = `/v1/buckets/${bucket_id}/batches`
    assert.equal((await request('POST', path, { body: { object_ids: [] } })).status, 422)
    const unknown = await request('POST', path, { body: { object_ids: ['obj_nowhere'] } })
    assert.equal(unknown.status, 404)
    assert.deepEqual(unknown.body.error.details.missing_object_ids, ['obj_nowhere'])
    const ids = await make.objects(bucket_id, notes(2))
    const batch_id = await make.batch(bucket_id, [ids[0]!])
    const lonely = await request('POST', `${path}/${batch_id}/submit`)
    assert.equal(lonely.body.error.code, 'no_collections_for_bucket')
    const added = await request('POST', `${path}/${batch_id}/objects`, { body: { object_ids: ids } })
    assert.deepEqual(added.body.object_ids, ids)
    await make.textCollection(bucket_id)
    await make.submit(bucket_id, batch_id)
    const late = await request('POST', `${path}/${batch_id}/objects`, { body: { object_ids: ids } })
    assert.equal(late.body.error.code, 'batch_not_draft')
    assert.equal((await request('GET', `${path}/btch_nowhere0000`)).body.error.code, 'batch_not_found')
  })

  test(`batches are listed newest first, patched, found by id alone, and deleted (${dialect})`, async (t) => {
    const { request, make } = await fixture(t, dialect)
    const bucket_id = await make.bucket()
    const ids = await make.objects(bucket_id, notes(1))
    const first = await make.batch(bucket_id, ids)
    const second = await make.batch(bucket_id, ids)
    const list = await request('POST', `/v1/buckets/notes/batches/list`, { body: { status: 'draft' } })
    assert.deepEqual(
      list.body.results.map((one: { batch_id: string }) => one.batch_id),
      [second, first],
    )
    assert.equal(list.body.total_count, 2)
    const path = `/v1/buckets/${bucket_id}/batches/${first}`
    await make.ok(request('PATCH', path, { body: { metadata: { a: 1, b: 2 } } }))
    const patched = await request('PATCH', path, { body: { metadata: { b: null, c: 3 } } })
    assert.deepEqual(patched.body.metadata, { a: 1, c: 3 })
    assert.equal((await request('GET', `/v1/batches/${first}`)).body.batch_id, first)
    assert.deepEqual((await request('DELETE', path)).body, { message: 'Successfully deleted', success: true })
    assert.equal((await request('GET', path)).status, 404)
    const bucket = await request('GET', `/v1/buckets/${bucket_id}`)
    assert.equal(bucket.body.batch_stats.total, 1)
  })
}

type Counted = Record<string, number>

const counters = (tier: Counted) => ({
  fetched: tier.source_documents_fetched,
  filtered: tier.documents_after_source_filter,
  missing: tier.documents_missing_input_fields,
  submitted: tier.documents_submitted_to_engine,
  written: tier.documents_written,
})

const RED_PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=='

const picture = (base64: string, mime_type = 'image/png') => ({
  blobs: [{ property: 'picture', type: 'image', data: { base64, mime_type } }],
})

async function makeBatchOf(
  make: ReturnType<typeof ingestFixture>,
  request: Awaited<ReturnType<typeof testApp>>['request'],
  bucket_id: string,
  object_ids: string[],
): Promise<string> {
  const body = { object_ids }
  const url = `/v1/buckets/${bucket_id}/batches?skip_validation=true`
  return (await make.ok(request('POST', url, { body }))).batch_id
}
