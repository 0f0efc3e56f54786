import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { drainQueue } from '../support/drain-queue.ts'
import { localSync } from '../support/local-sync.ts'
import { DIALECTS } from '../support/test-app.ts'

/** Works in folders too deep for the system to name them by one path. */
function inFolders(root: string, names: readonly string[], work: () => void): void {
  const home = process.cwd()
  try {
    process.chdir(root)
    for (const name of names) {
      mkdirSync(name, { recursive: true })
      process.chdir(name)
    }
    work()
  } finally {
    process.chdir(home)
  }
}

for (const dialect of DIALECTS) {
  test(`files that a listing names and cannot look at are failures, and nothing counts as vanished (${dialect})`, async (t) => {
    const { put, sync, run, get, objects, root, request, bucket_id, deps } = await localSync(t, dialect)
    await put('a.txt', 'a')
    await put('b.txt', 'b')
    const { sync_config_id } = await sync({ deletion_policy: 'delete' })
    await rm(join(root, 'a.txt'))
    // The folder can be listed, while the path of its file is longer than the system takes.
    const folders = Array.from({ length: 16 }, () => 'f'.repeat(240))
    const name = `${'n'.repeat(240)}.txt`
    inFolders(root, folders, () => writeFileSync(name, 'hidden'))
    const hidden = await run(sync_config_id)
    assert.deepEqual([hidden.counts.failed, hidden.counts.deleted], [1, 0])
    assert.equal((await objects()).length, 2)
    const path = `/v1/buckets/${bucket_id}/syncs/${sync_config_id}`
    const { body } = await request('POST', `${path}/trigger?dry_run=true`)
    await drainQueue(deps)
    const dry = await get(sync_config_id, `/runs/${body.sync_job_id}`)
    assert.deepEqual([dry.counts.fail, dry.counts.delete], [1, 0])
    inFolders(root, folders, () => rmSync(name))
    assert.equal((await run(sync_config_id)).counts.deleted, 1)
  })

  test(`a folder that can be listed again is no failure any more (${dialect})`, async (t) => {
    const { put, sync, run, get, root } = await localSync(t, dialect)
    await put('a.txt', 'a')
    mkdirSync(join(root, 'd/'.repeat(66)), { recursive: true })
    const { sync_config_id } = await sync()
    assert.equal((await get(sync_config_id)).total_files_failed, 1)
    await rm(join(root, 'd'), { recursive: true })
    await run(sync_config_id)
    assert.equal((await get(sync_config_id)).total_files_failed, 0)
  })

  test(`a run whose task was killed before it began takes nothing, and removes nothing (${dialect})`, async (t) => {
    const { put, sync, objects, root, request, bucket_id, deps } = await localSync(t, dialect)
    await put('a.txt', 'a')
    const { sync_config_id } = await sync({ deletion_policy: 'delete' })
    await rm(join(root, 'a.txt'))
    await put('b.txt', 'b')
    const path = `/v1/buckets/${bucket_id}/syncs/${sync_config_id}`
    const { body } = await request('POST', `${path}/trigger`)
    await request('DELETE', `/v1/tasks/${body.task_id}`)
    await drainQueue(deps)
    const { body: killed } = await request('GET', `${path}/runs/${body.sync_job_id}`)
    assert.deepEqual([killed.status, killed.counts.created, killed.counts.deleted], ['CANCELED', 0, 0])
    assert.equal((await objects()).length, 1)
  })
}
