import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3_SERVER_MISSING } from '../support/s3-server.ts'
import { createS3Sync, fillStore, keyOf, startSourceStore } from '../support/s3-sync.ts'
import { serve, start, temporaryFolder } from './kura.ts'

const FILES = 1000
const TIMEOUT_MS = 120_000

test('a thousand files of a real S3 store: kill -9 in the middle, nothing read again after its commit, then only what changed', {
  skip: S3_SERVER_MISSING,
  timeout: 300_000,
}, async (t) => {
  const store = await startSourceStore()
  t.after(() => store.close())
  await fillStore(store, FILES)
  const folder = await temporaryFolder()
  t.after(() => folder.remove())
  const home = join(folder.path, 'home')
  const env = {
    KURA_ROOT_KEY: 'sk_acceptance_0123456789',
    KURA_TEXT_MODEL: 'hash',
    KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
    KURA_ENGINE_PROCESSES: '0',
  }
  const server = await serve(home, { env })
  t.after(() => server.stop())
  const startWorker = () => start(['worker', '--home', home, '--log-level', 'warn'], env)
  let worker = startWorker()
  t.after(() => worker.stop())

  const sync = await createS3Sync(server.call, store)
  const { sync_job_id } = await sync.newestRun()
  while (((await sync.run(sync_job_id)).counts.created ?? 0) < FILES / 4) await sleep(10)
  const killed = once(worker.child, 'close')
  worker.child.kill('SIGKILL')
  await killed
  const committed = new Set(await sync.takenPaths())
  assert.ok(committed.size >= FILES / 4 && committed.size < FILES, `killed in the middle: ${committed.size}`)
  assert.equal((await sync.run(sync_job_id)).counts.created, committed.size)
  assert.equal(await sync.objectCount(), committed.size)
  store.takeReads()

  worker = startWorker()
  const first = await sync.ended(sync_job_id, TIMEOUT_MS)
  const readAfterKill = store.takeReads()
  assert.deepEqual(
    readAfterKill.filter((key) => committed.has(key)),
    [],
    'nothing is read again after its commit',
  )
  assert.equal(readAfterKill.length, FILES - committed.size)
  assert.deepEqual([first.status, first.counts.created, first.counts.failed], ['COMPLETED', FILES, 0])
  assert.equal(await sync.objectCount(), FILES)

  const second = await sync.ended(await sync.trigger(), TIMEOUT_MS)
  assert.equal(second.counts.unchanged, FILES)
  assert.deepEqual(store.takeReads(), [], 'nothing changed, nothing is read')

  const [changed, deleted, renamed] = [
    [1, 2, 3, 4, 5],
    [11, 12, 13, 14],
    [21, 22, 23],
  ]
  for (const i of changed) await store.put(keyOf(i), `changed content of file ${i}`)
  for (const i of deleted) await store.remove(keyOf(i))
  for (const i of renamed) {
    await store.put(`moved/${i}.txt`, `content of file ${i}`)
    await store.remove(keyOf(i))
  }
  const third = await sync.ended(await sync.trigger(), TIMEOUT_MS)
  const expected = [...changed.map(keyOf), ...renamed.map((i) => `moved/${i}.txt`)]
  assert.deepEqual(store.takeReads().sort(), expected.sort())
  const { updated, deleted: removed, duplicates, created } = third.counts
  assert.deepEqual(
    { updated, removed, duplicates, created },
    { updated: 5, removed: 4, duplicates: 3, created: 0 },
  )
  assert.equal(await sync.objectCount(), FILES - deleted.length)

  // A store that asks to slow down is waited for.
  await store.put('late.txt', 'late')
  let refusals = 4
  store.proxy.fault = () =>
    refusals-- > 0 ? { kind: 'answer', status: 503, body: '<Error><Code>SlowDown</Code></Error>' } : undefined
  const fourth = await sync.ended(await sync.trigger(), TIMEOUT_MS)
  assert.deepEqual([fourth.status, fourth.counts.created], ['COMPLETED', 1])
})
