import assert from 'node:assert/strict'
import { isTerminal } from '../../src/core/task-status.ts'
import { examine } from '../../src/doctor/examine.ts'
import type { Db } from '../../src/platform/db/db.ts'
import type { TestApp } from './test-app.ts'

/** What must be true of all batches once no job is left, whatever has happened before. */
export async function assertBatchesSettled({ deps }: TestApp): Promise<void> {
  const { db } = deps
  assert.deepEqual(await db.selectFrom('jobs').select(['kind', 'last_error']).execute(), [], 'no job is left')
  const batches = await db.selectFrom('batches').selectAll().execute()
  const tasks = await db.selectFrom('tasks').selectAll().execute()
  const byId = new Map(tasks.map((task) => [task.task_id, task]))
  for (const { batch_id, status, task_id } of batches) {
    assert.ok(status === 'DRAFT' || isTerminal(status), `${batch_id} is ${status}`)
    if (task_id !== null) assert.equal(byId.get(task_id)?.status, status, `${batch_id} and its task agree`)
  }
  for (const task of tasks)
    assert.ok(isTerminal(task.status), `task ${task.task_id} (${task.task_type}) is ${task.status}`)
  await assertTiers(db, new Map(batches.map((batch) => [batch.batch_id, batch.status])))
  await assertStats(db)
  const waiting = await db
    .selectFrom('objects')
    .select(['object_id', 'status'])
    .where('status', 'in', ['PENDING', 'IN_PROGRESS'])
    .execute()
  assert.deepEqual(waiting, [], 'no object waits for a batch that has ended')
  const findings = await examine(deps, { repair: false })
  assert.deepEqual(
    findings.filter(({ problems }) => problems > 0),
    [],
  )
}

async function assertTiers(db: Db, statuses: Map<string, string>): Promise<void> {
  for (const { batch_id, tier_num, status, jobs_open } of await db
    .selectFrom('batch_tiers')
    .selectAll()
    .execute()) {
    assert.ok(isTerminal(status), `tier ${tier_num} of ${batch_id} is ${status}`)
    if (statuses.get(batch_id) !== 'CANCELED') assert.equal(jobs_open, 0)
  }
  for (const one of await db.selectFrom('batch_tier_collections').selectAll().execute()) {
    const name = `${one.batch_id} tier ${one.tier_num}`
    const { documents_missing_input_fields: missing, documents_submitted_to_engine: submitted } = one
    const { documents_after_source_filter: passing } = one
    assert.ok(one.source_documents_fetched >= passing, name)
    assert.equal(one.rows_done, missing + submitted, name)
    assert.ok(one.rows_done <= passing, name)
    if (statuses.get(one.batch_id) !== 'CANCELED' && one.status !== 'SKIPPED')
      assert.equal(one.rows_done, passing, `${name}: every row was done once`)
  }
}

async function assertStats(db: Db): Promise<void> {
  const buckets = await db.selectFrom('buckets').selectAll().execute()
  for (const bucket of buckets) {
    const own = await db
      .selectFrom('batches')
      .select('status')
      .where('bucket_id', '=', bucket.bucket_id)
      .execute()
    const count = (...some: string[]) => own.filter(({ status }) => some.includes(status)).length
    assert.deepEqual(
      [bucket.batch_total, bucket.batch_active, bucket.batch_completed, bucket.batch_failed],
      [own.length, 0, count('COMPLETED', 'COMPLETED_WITH_ERRORS'), count('FAILED')],
      'the bucket counts its batches',
    )
  }
}
