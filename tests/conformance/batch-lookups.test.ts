import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inTransaction } from '../../src/platform/db/db.ts'
import { requireObjects } from '../../src/resources/batches/store.ts'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { testApp } from '../support/test-app.ts'

const MORE = 100_000
const ASKED = 500
const RUNS = 5

// PostgreSQL knows how many rows there are, and looks up what is few among them.
test('SQLite looks up the objects of a batch one by one, however many the bucket has', async (t) => {
  const app = await testApp('sqlite')
  t.after(app.close)
  const { db } = app.deps
  const make = ingestFixture(app)
  const bucket_id = await make.bucket()
  await make.objects(bucket_id, [{ title: 'a' }])
  const object = await db.selectFrom('objects').selectAll().executeTakeFirstOrThrow()
  const scope = { organizationId: '', namespaceId: object.namespace_id }
  const ids = Array.from({ length: MORE }, (_, i) => `obj_${String(i).padStart(12, '0')}`)
  const insert = (some: string[]) =>
    inTransaction(db, async (trx) => {
      for (let i = 0; i < some.length; i += ASKED) {
        const rows = some.slice(i, i + ASKED).map((object_id) => ({ ...object, object_id }))
        await trx.insertInto('objects').values(rows).execute()
      }
    })
  const asked = ids.slice(0, ASKED)
  const fastest = async () => {
    const times: number[] = []
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now()
      await requireObjects(db, scope, bucket_id, asked)
      times.push(performance.now() - start)
    }
    return Math.min(...times)
  }
  await insert(asked)
  const few_ms = await fastest()
  await insert(ids.slice(ASKED))
  const many_ms = await fastest()
  assert.ok(many_ms < 4 * few_ms + 2, `${few_ms} ms beside ${ASKED} objects, ${many_ms} ms beside ${MORE}`)
})
