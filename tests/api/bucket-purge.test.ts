import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Insertable, sql } from 'kysely'
import { newId } from '../../src/core/ids.ts'
import { timestamp } from '../../src/core/time.ts'
import { type Db, dialect as dialectOf, inTransaction } from '../../src/platform/db/db.ts'
import type { Schema } from '../../src/platform/db/schema.ts'
import { BUCKET_TABLES } from '../../src/resources/buckets/purge.ts'
import { insertTask } from '../../src/resources/tasks/index.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

/** Removed by a step of their own. */
const STEPPED = ['batches', 'buckets', 'objects', 'syncs', 'uploads']

for (const dialect of DIALECTS) {
  test(`a bucket that is deleted takes its syncs along, whatever they are doing, and no others (${dialect})`, async (t) => {
    const { request, deps, close } = await testApp(dialect)
    t.after(close)
    const make = async (bucket_name: string) =>
      (await request('POST', '/v1/buckets', { body: { bucket_name, bucket_schema: { properties: {} } } }))
        .body.bucket_id as string
    const [gone, kept] = [await make('gone'), await make('kept')]
    const { organizationId } = deps.bootstrap
    const { namespace_id } = (await deps.namespaceLookup.fallback(organizationId))!
    const scope = { organizationId, namespaceId: namespace_id }
    const tasks: string[] = []
    for (const bucket_id of [gone, gone, kept]) tasks.push(await addSync(deps.db, scope, bucket_id))
    const { body } = await request('DELETE', `/v1/buckets/${gone}`)
    await drainQueue(deps)
    assert.equal((await request('GET', `/v1/tasks/${body.task_id}`)).body.status, 'COMPLETED')
    for (const [table, left] of [
      ['syncs', 1],
      ['sync_runs', 2],
      ['sync_items', 3],
    ] as const) {
      const { rows } = await sql<{
        count: number
      }>`select count(*) as count from ${sql.table(table)}`.execute(deps.db)
      assert.equal(rows[0]!.count, left, table)
    }
    const statuses = []
    for (const id of tasks) statuses.push((await request('GET', `/v1/tasks/${id}`)).body.status)
    assert.deepEqual(statuses, ['CANCELED', 'CANCELED', 'IN_PROGRESS'])
  })

  test(`a bucket that is deleted takes its uploads along, with bytes that nobody confirmed (${dialect})`, async (t) => {
    const { request, deps, close } = await testApp(dialect)
    t.after(close)
    const { body: bucket } = await request('POST', '/v1/buckets', {
      body: { bucket_name: 'gone', bucket_schema: { properties: { note: { type: 'text' } } } },
    })
    const url = `/v1/buckets/${bucket.bucket_id}`
    const bytes = Buffer.from('a line of text\n'.repeat(10_000))
    const uploads: string[] = []
    for (const filename of ['waits.txt', 'arrived.txt', 'confirmed.txt']) {
      const { body } = await request('POST', `${url}/uploads`, {
        body: { filename, content_type: 'text/plain', skip_duplicates: false },
      })
      uploads.push(body.upload_id)
      if (filename === 'waits.txt') continue
      const address = new URL(body.presigned_url)
      const put = await request('PUT', address.pathname + address.search, {
        key: null,
        raw: bytes,
        headers: { 'content-type': 'text/plain' },
      })
      assert.equal(put.status, 200, JSON.stringify(put.body))
    }
    const confirmed = await request('POST', `${url}/uploads/${uploads[2]}/confirm`)
    assert.equal(confirmed.body.status, 'COMPLETED', JSON.stringify(confirmed.body))
    const deleted = await request('DELETE', url)
    assert.deepEqual([deleted.status, deleted.body.object_count], [200, 1])
    await drainQueue(deps)
    assert.equal((await request('GET', url)).status, 404)
    for (const table of ['uploads', 'objects', 'files', 'file_references']) {
      const { rows } = await sql`select * from ${sql.table(table)}`.execute(deps.db)
      assert.deepEqual(rows, [], table)
    }
    for await (const { key } of deps.blobs.list('')) assert.fail(`${key} was left`)
  })

  test(`every table that names a bucket is known to the deletion of buckets (${dialect})`, async (t) => {
    const { deps, close } = await testApp(dialect)
    t.after(close)
    assert.deepEqual((await tablesOfBuckets(deps.db)).sort(), [...STEPPED, ...BUCKET_TABLES].sort())
  })
}

/** A sync with an ended and an open run and three items; returns the task of the open run. */
async function addSync(
  db: Db,
  scope: { organizationId: string; namespaceId: string },
  bucket_id: string,
): Promise<string> {
  const namespace_id = scope.namespaceId
  const now = timestamp()
  const sync_config_id = newId.sync()
  await db
    .insertInto('syncs')
    .values({
      namespace_id,
      sync_config_id,
      organization_id: scope.organizationId,
      internal_id: newId.internal(),
      bucket_id,
      connection_id: newId.connection(),
      source_path: 'x',
      sync_mode: 'continuous',
      settings: '{}',
      status: 'ACTIVE',
      created_by_user_id: newId.user(),
      created_at: now,
      updated_at: now,
    } as Insertable<Schema['syncs']>)
    .execute()
  const task_id = await inTransaction(db, (trx) =>
    insertTask(trx, scope, { task_type: 'api_buckets_objects_create', namespace_id, status: 'IN_PROGRESS' }),
  )
  for (const run_number of [1, 2])
    await db
      .insertInto('sync_runs')
      .values({
        namespace_id,
        sync_config_id,
        run_id: `run_${run_number}`,
        run_number,
        started_by: 'user',
        dry_run: 0,
        status: run_number === 1 ? 'COMPLETED' : 'IN_PROGRESS',
        task_id,
        counts: '{}',
        batch_ids: '[]',
        report: '{}',
        created_at: now,
        ended_at: run_number === 1 ? now : null,
      } as Insertable<Schema['sync_runs']>)
      .execute()
  for (const item of ['a', 'b', 'c'])
    await db
      .insertInto('sync_items')
      .values({
        namespace_id,
        bucket_id,
        item_hash: `${sync_config_id} ${item}`,
        sync_config_id,
        provider_type: 's3',
        path: item,
        version: '1',
        state: 'synced',
        run_number: 1,
        seen_run: 1,
        updated_at: now,
      } as Insertable<Schema['sync_items']>)
      .execute()
  return task_id
}

async function tablesOfBuckets(db: Db): Promise<string[]> {
  const query =
    dialectOf(db) === 'sqlite'
      ? sql<{ name: string }>`select m.name from sqlite_master m, pragma_table_info(m.name) c
          where m.type = 'table' and c.name = 'bucket_id'`
      : sql<{ name: string }>`select table_name as name from information_schema.columns
          where table_schema = 'public' and column_name = 'bucket_id'`
  return (await query.execute(db)).rows.map(({ name }) => name)
}
