import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { startWorker } from '../support/start-worker.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

const OBJECTS = 150
const WORKERS = 3

for (const dialect of DIALECTS) {
  test(`workers that process the same objects at once write each document once and count it once (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const make = ingestFixture(app)
    const bucket_id = await make.bucket({ unique_key: { fields: ['title'], default_policy: 'upsert' } })
    const texts = await make.textCollection(bucket_id, {
      parameters: { split_by: 'paragraphs', chunk_size: 1 },
    })
    const copies = await make.collection(
      'copies',
      { type: 'collection', collection_id: texts },
      { feature_extractor_name: 'passthrough_extractor' },
    )
    const ids: string[] = []
    for (let first = 0; first < OBJECTS; first += 50) {
      const objects = Array.from({ length: 50 }, (_, i) => ({
        title: `t${first + i}`,
        body: `One ${i}.\n\nTwo.`,
      }))
      const { succeeded } = await make.ok(
        app.request('POST', `/v1/buckets/${bucket_id}/objects/batch`, { body: { objects } }),
      )
      ids.push(...succeeded.map(({ object_id }: { object_id: string }) => object_id))
    }
    const batches: string[] = []
    for (const order of [ids, ids.toReversed(), ids]) batches.push(await make.batch(bucket_id, order))
    for (const batch_id of batches) await make.submit(bucket_id, batch_id)
    const stops = await Promise.all(Array.from({ length: WORKERS }, (_, i) => startWorker(app, `w${i}`)))
    try {
      for (const batch_id of batches) {
        let batch = await make.getBatch(bucket_id, batch_id)
        for (let i = 0; i < 600 && batch.status !== 'COMPLETED'; i++) {
          await sleep(100)
          batch = await make.getBatch(bucket_id, batch_id)
        }
        assert.equal(batch.status, 'COMPLETED', JSON.stringify(batch))
        assert.equal(batch.tier_tasks[0].documents_written, OBJECTS * 2)
      }
    } finally {
      for (const stop of stops) await stop()
    }
    const { db } = app.deps
    for (const collection_id of [texts, copies]) {
      const rows = await db
        .selectFrom('documents')
        .select('document_id')
        .where('collection_id', '=', collection_id)
        .execute()
      assert.equal(rows.length, OBJECTS * 2)
      const { body } = await app.request('GET', `/v1/collections/${collection_id}`)
      assert.equal(body.document_count, OBJECTS * 2)
    }
    const vectors = await db.selectFrom('vectors').select('document_seq').execute()
    assert.equal(vectors.length, OBJECTS * 4)
    const [checked] = await app.deps.vectors.check({ repair: false })
    assert.deepEqual([checked?.missing, checked?.surplus, checked?.different], [0, 0, 0])
    assert.equal((await db.selectFrom('jobs').select('job_id').execute()).length, 0)
  })
}
