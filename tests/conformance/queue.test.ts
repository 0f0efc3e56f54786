import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { toTimestamp } from '../../src/core/time.ts'
import { type Db, type Dialect, inTransaction } from '../../src/platform/db/db.ts'
import { DbQueue } from '../../src/platform/queue/db-queue.ts'
import { type Job, LeaseLostError, type NewJob } from '../../src/platform/queue/queue.ts'
import { DIALECTS, testDb } from '../support/test-db.ts'

const job = (payload: unknown, more: Partial<NewJob> = {}): NewJob => ({
  organization_id: 'org_a',
  namespace_id: 'ns_a',
  kind: 'extract',
  payload,
  ...more,
})

type Fixture = { db: Db; open(): Db; queue: DbQueue; enqueue(...jobs: NewJob[]): Promise<void> }

async function fixture(t: TestContext, dialect: Dialect): Promise<Fixture> {
  const { db, open, close } = await testDb(dialect)
  t.after(close)
  const queue = new DbQueue(db)
  return { db, open, queue, enqueue: (...jobs) => inTransaction(db, (trx) => queue.enqueue(trx, jobs)) }
}

/** What the passing of the lease time does. */
const expire = (db: Db, { job_id }: Job) =>
  db
    .updateTable('jobs')
    .set({ lease_expires_at: toTimestamp(1) })
    .where('job_id', '=', job_id)
    .execute()

for (const dialect of DIALECTS) {
  test(`jobs run by priority, then in the order in which they came (${dialect})`, async (t) => {
    const { queue, enqueue } = await fixture(t, dialect)
    await enqueue(
      job('first'),
      job('second'),
      job('urgent', { priority: 5 }),
      job('later', { delay_ms: 60_000 }),
    )
    const order = [
      await queue.lease('w', 'compute'),
      await queue.lease('w', 'compute'),
      await queue.lease('w', 'compute'),
    ]
    assert.deepEqual(
      order.map((leased) => leased?.payload),
      ['urgent', 'first', 'second'],
    )
    assert.equal(await queue.lease('w', 'compute'), null, 'a delayed job is not due')
  })

  test(`a lane leases its own kinds only (${dialect})`, async (t) => {
    const { queue, enqueue } = await fixture(t, dialect)
    await enqueue(
      job('delivery', { kind: 'deliver_webhook', priority: 9 }),
      job('sync', { kind: 'run_sync', priority: 9 }),
      job('rows'),
    )
    for (const [lane, payload] of [
      ['compute', 'rows'],
      ['transfer', 'sync'],
      ['quick', 'delivery'],
    ] as const) {
      assert.equal((await queue.lease('w', lane))?.payload, payload)
      assert.equal(await queue.lease('w', lane), null)
    }
  })

  test(`namespaces take turns within a priority, however much one of them has queued (${dialect})`, async (t) => {
    const { queue, enqueue } = await fixture(t, dialect)
    await enqueue(...Array.from({ length: 6 }, (_, i) => job(`a${i}`)))
    await enqueue(job('b0', { namespace_id: 'ns_b' }), job('b1', { namespace_id: 'ns_b' }))
    await enqueue(job('c0', { namespace_id: 'ns_c' }))
    await enqueue(job('urgent', { namespace_id: 'ns_a', priority: 1 }))
    const order: unknown[] = []
    for (let next = await queue.lease('w', 'compute'); next; next = await queue.lease('w', 'compute'))
      order.push(next.payload)
    assert.deepEqual(order, ['urgent', 'b0', 'c0', 'a0', 'b1', 'a1', 'a2', 'a3', 'a4', 'a5'])
  })

  test(`a job of low priority that has waited long is not starved by a stream of urgent ones (${dialect})`, async (t) => {
    const { db, queue, enqueue } = await fixture(t, dialect)
    await enqueue(job('old', { priority: -10 }))
    await db
      .updateTable('jobs')
      .set({ run_at: toTimestamp(Date.now() - 3600_000) })
      .execute()
    await enqueue(...Array.from({ length: 20 }, (_, i) => job(i, { priority: 10 })))
    const order: unknown[] = []
    for (let i = 0; i < 8; i++) order.push((await queue.lease('w', 'compute'))?.payload)
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 'old'])
  })

  test(`a job beside others whose worker died twice waits, so that the others are not blamed with it (${dialect})`, async (t) => {
    const { db, queue, enqueue } = await fixture(t, dialect)
    await enqueue(job('sync', { kind: 'run_sync' }), job('rows'))
    await expire(db, (await queue.lease('w', 'transfer'))!)
    const second = await queue.lease('w', 'transfer')
    assert.equal(second?.attempt, 2, 'once may have been the fault of another')
    await expire(db, second)
    assert.equal(await queue.lease('w', 'transfer'), null)
    const [waiting] = await db
      .selectFrom('jobs')
      .select(['status', 'run_at'])
      .where('kind', '=', 'run_sync')
      .execute()
    assert.equal(waiting?.status, 'delayed')
    assert.ok(waiting.run_at > toTimestamp(Date.now() + 500))
  })

  test(`a job of a transaction that rolls back does not exist (${dialect})`, async (t) => {
    const { db, queue } = await fixture(t, dialect)
    const failing = inTransaction(db, async (trx) => {
      await queue.enqueue(trx, [job('never')])
      throw new Error('rolled back')
    })
    await assert.rejects(failing, /rolled back/)
    assert.equal(await queue.lease('w', 'compute'), null)
  })

  test(`a leased job is hidden until its lease expires, then goes to another worker with one attempt more (${dialect})`, async (t) => {
    const { db, queue, enqueue } = await fixture(t, dialect)
    await enqueue(job('x'))
    const first = (await queue.lease('dead', 'compute'))!
    assert.equal(first.attempt, 1)
    assert.equal(await queue.lease('other', 'compute'), null)
    await expire(db, first)
    const second = (await queue.lease('other', 'compute'))!
    assert.equal(second.job_id, first.job_id)
    assert.equal(second.attempt, 2)
    assert.equal(second.last_error, null, 'a worker that died said nothing')
  })

  test(`a worker that lost its lease can neither prolong nor commit, and its writes roll back (${dialect})`, async (t) => {
    const { db, queue, enqueue } = await fixture(t, dialect)
    await enqueue(job('x'))
    const stale = (await queue.lease('slow', 'compute'))!
    await expire(db, stale)
    const current = (await queue.lease('fast', 'compute'))!
    assert.equal(await queue.heartbeat(stale), false)
    assert.equal(await queue.heartbeat(current), true)
    const late = inTransaction(db, async (trx) => {
      await trx.insertInto('settings').values({ key: 'late', value: 'write' }).execute()
      await queue.complete(trx, stale)
    })
    await assert.rejects(late, LeaseLostError)
    assert.equal((await db.selectFrom('settings').selectAll().execute()).length, 0)
    await inTransaction(db, (trx) => queue.complete(trx, current))
    await expire(db, current)
    assert.equal(await queue.lease('any', 'compute'), null, 'a completed job is gone')
  })

  test(`a failed run counts as an attempt and tells why, a job given back does not (${dialect})`, async (t) => {
    const { queue, enqueue } = await fixture(t, dialect)
    await enqueue(job('x'))
    await queue.release((await queue.lease('w', 'compute'))!)
    const again = (await queue.lease('w', 'compute'))!
    assert.equal(again.attempt, 1)
    await queue.retry(again, { delay_ms: 0, error: 'no connection' })
    const third = (await queue.lease('w', 'compute'))!
    assert.equal(third.attempt, 2)
    assert.equal(third.last_error, 'no connection')
    await queue.retry(third, { delay_ms: 60_000, error: 'no connection' })
    assert.equal(await queue.lease('w', 'compute'), null, 'it waits for its delay')
  })

  test(`a checkpoint leaves only the rest to do, and needs the lease (${dialect})`, async (t) => {
    const { db, queue, enqueue } = await fixture(t, dialect)
    await enqueue(job(['a', 'b']))
    const first = (await queue.lease('w', 'compute'))!
    await inTransaction(db, (trx) => queue.checkpoint(trx, first, ['b']))
    await expire(db, first)
    assert.deepEqual((await queue.lease('other', 'compute'))?.payload, ['b'])
    await assert.rejects(
      inTransaction(db, (trx) => queue.checkpoint(trx, first, [])),
      LeaseLostError,
    )
  })

  test(`leases of a dead worker end at once when its death is known (${dialect})`, async (t) => {
    const { db, queue, enqueue } = await fixture(t, dialect)
    await enqueue(job('a'), job('b'))
    const dead = (await queue.lease('dead', 'compute'))!
    await queue.lease('alive', 'compute')
    assert.deepEqual((await queue.listWorkers()).sort(), ['alive', 'dead'])
    assert.equal(await queue.expireLeases(['dead']), 1)
    assert.equal((await queue.lease('alive', 'compute'))?.job_id, dead.job_id)
    await assert.rejects(
      inTransaction(db, (trx) => queue.complete(trx, dead)),
      LeaseLostError,
    )
  })

  test(`many workers lease every job exactly once (${dialect})`, async (t) => {
    const { open, enqueue } = await fixture(t, dialect)
    const payloads = Array.from({ length: 60 }, (_, i) => i)
    await enqueue(...payloads.map((i) => job(i)))
    const workers = await Promise.all(
      Array.from({ length: 6 }, async (_, w) => {
        const queue = new DbQueue(open())
        const leased: unknown[] = []
        for (
          let next = await queue.lease(`w${w}`, 'compute');
          next;
          next = await queue.lease(`w${w}`, 'compute')
        )
          leased.push(next.payload)
        return leased
      }),
    )
    const all = workers.flat() as number[]
    assert.deepEqual(
      all.sort((a, b) => a - b),
      payloads,
    )
  })
}
