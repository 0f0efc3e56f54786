import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { checkJobs } from '../../src/doctor/jobs.ts'
import { type Db, type Dialect, inTransaction } from '../../src/platform/db/db.ts'
import { DbQueue } from '../../src/platform/queue/db-queue.ts'
import type { Job, JobHandler, JobKind } from '../../src/platform/queue/queue.ts'
import { Worker } from '../../src/worker.ts'
import { DIALECTS, testDb } from '../support/test-db.ts'

type Fixture = { db: Db; queue: DbQueue; worker(handler: JobHandler): Worker; jobs(): Promise<JobRow[]> }
type JobRow = { status: string; attempt: number; last_error: string | null }

async function fixture(t: TestContext, dialect: Dialect): Promise<Fixture> {
  const { db, close } = await testDb(dialect)
  t.after(close)
  const queue = new DbQueue(db)
  await enqueue(db, queue)
  const logger = pino({ level: 'silent' })
  return {
    db,
    queue,
    worker: (extract) => new Worker({ worker_id: 'here/1/a', queue, handlers: { extract }, logger }),
    jobs: async () => {
      const rows = await db.selectFrom('jobs').select(['status', 'attempt', 'last_error']).execute()
      // node:sqlite gives objects without a prototype.
      return rows.map((row) => ({ ...row }))
    },
  }
}

const enqueue = (db: Db, queue: DbQueue, kind: JobKind = 'extract') =>
  inTransaction(db, (trx) =>
    queue.enqueue(trx, [{ organization_id: 'org_a', namespace_id: 'ns_a', kind, payload: {} }]),
  )

const complete = (db: Db, queue: DbQueue, job: Job) => inTransaction(db, (trx) => queue.complete(trx, job))

for (const dialect of DIALECTS) {
  test(`a job that throws is put back for later with its reason (${dialect})`, async (t) => {
    const { worker, jobs } = await fixture(t, dialect)
    const failing = worker(async () => {
      throw new Error('not today')
    })
    assert.equal(await failing.runNext(), true)
    assert.deepEqual(await jobs(), [{ status: 'delayed', attempt: 1, last_error: 'not today' }])
    assert.equal(await failing.runNext(), false, 'it is delayed')
  })

  test(`work for other machines runs beside the one job that computes, up to its limit (${dialect})`, async (t) => {
    const { db, queue } = await fixture(t, dialect)
    const running = new Map<string, number>()
    const most = new Map<string, number>()
    const handler: JobHandler = async (job) => {
      const { kind } = job
      running.set(kind, (running.get(kind) ?? 0) + 1)
      most.set(kind, Math.max(most.get(kind) ?? 0, running.get(kind)!))
      await sleep(50)
      running.set(kind, running.get(kind)! - 1)
      await complete(db, queue, job)
    }
    for (let i = 0; i < 6; i++)
      for (const kind of ['extract', 'run_sync', 'deliver_webhook'] as const) await enqueue(db, queue, kind)
    const both = new Worker({
      worker_id: 'here/1/a',
      queue,
      handlers: { extract: handler, run_sync: handler, deliver_webhook: handler },
      logger: pino({ level: 'silent' }),
      transfers_max: 3,
    })
    both.start()
    t.after(() => both.stop(0))
    await until(async () => (await db.selectFrom('jobs').select('job_id').execute()).length === 0)
    assert.deepEqual(Object.fromEntries(most), { extract: 1, run_sync: 3, deliver_webhook: 3 })
  })

  test(`a worker that stops gives back every job it cannot finish, of each lane (${dialect})`, async (t) => {
    const { db, queue, jobs } = await fixture(t, dialect)
    for (let i = 0; i < 3; i++) await enqueue(db, queue, 'run_sync')
    const slow: JobHandler = async (_job, signal) => void (await sleep(10_000, undefined, { signal }))
    const worker = new Worker({
      worker_id: 'here/1/a',
      queue,
      handlers: { extract: slow, run_sync: slow },
      logger: pino({ level: 'silent' }),
    })
    worker.start()
    await until(async () => (await jobs()).every(({ status }) => status === 'running'))
    await worker.stop(10)
    assert.deepEqual(
      (await jobs()).map(({ status, attempt }) => [status, attempt]),
      Array.from({ length: 4 }, () => ['queued', 0]),
    )
  })

  test(`a job that fails again and again goes on being tried, and the doctor tells of it (${dialect})`, async (t) => {
    const { db, worker } = await fixture(t, dialect)
    const failing = worker(async () => {
      throw new Error('no disk')
    })
    for (let run = 1; run <= 12; run++) {
      assert.equal((await checkJobs(db)).problems, 0)
      assert.equal(await failing.runNext(), true)
      await db.updateTable('jobs').set({ run_at: '2020-01-01T00:00:00.000000Z' }).execute()
    }
    const finding = await checkJobs(db)
    assert.deepEqual([finding.examined, finding.problems], [1, 1])
    assert.match(finding.detail, /extract fails again and again: no disk/)
  })

  test(`a job of an unknown kind stays in the queue (${dialect})`, async (t) => {
    const { queue, jobs } = await fixture(t, dialect)
    const logger = pino({ level: 'silent' })
    await new Worker({ worker_id: 'here/1/a', queue, handlers: {}, logger }).runNext()
    assert.match((await jobs())[0]?.last_error ?? '', /no handler for jobs of kind extract/)
  })

  test(`a worker that stops gives back the job it cannot finish, uncounted (${dialect})`, async (t) => {
    const { worker, jobs } = await fixture(t, dialect)
    let aborted = false
    const slow = worker(async (_job, signal) => {
      await sleep(10_000, undefined, { signal }).catch((error) => {
        aborted = true
        throw error
      })
    })
    slow.start()
    await until(async () => (await jobs())[0]?.status === 'running')
    await slow.stop(10)
    assert.equal(aborted, true)
    assert.deepEqual(await jobs(), [{ status: 'queued', attempt: 0, last_error: null }])
  })

  test(`a worker that stops finishes a job that is nearly done (${dialect})`, async (t) => {
    const { db, queue, worker, jobs } = await fixture(t, dialect)
    const quick = worker(async (job) => {
      await sleep(100)
      await complete(db, queue, job)
    })
    quick.start()
    await until(async () => (await jobs())[0]?.status === 'running')
    await quick.stop(5000)
    assert.deepEqual(await jobs(), [])
  })

  test(`a wake-up starts a job without waiting for the next poll (${dialect})`, async (t) => {
    const { db, queue, worker, jobs } = await fixture(t, dialect)
    const started: number[] = []
    const eager = worker(async (job) => {
      started.push(performance.now())
      await complete(db, queue, job)
    })
    eager.start()
    t.after(() => eager.stop(0))
    await until(async () => (await jobs()).length === 0)
    for (let i = 0; i < 5; i++) {
      await enqueue(db, queue)
      queue.wake()
      await until(async () => (await jobs()).length === 0)
    }
    assert.equal(started.length, 6)
  })
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return
    await sleep(10)
  }
  assert.fail('the condition never came true')
}
