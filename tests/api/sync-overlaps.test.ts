import assert from 'node:assert/strict'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { localSync } from '../support/local-sync.ts'
import { DIALECTS } from '../support/test-app.ts'

for (const dialect of DIALECTS) {
  test(`the first run of a second sync takes what changed since the first run of another (${dialect})`, async (t) => {
    const { put, sync, get, objects } = await localSync(t, dialect)
    await put('a.txt', 'first')
    await put('b.txt', 'same')
    await sync()
    await put('a.txt', 'first, changed')
    const second = await sync()
    const { results } = await get(second.sync_config_id, '/runs')
    const { updated, unchanged, created } = results[0].counts
    assert.deepEqual([updated, unchanged, created], [1, 1, 0])
    assert.equal((await objects()).length, 2)
  })

  test(`syncs that overlap leave alone what has not changed, and remove what has vanished once (${dialect})`, async (t) => {
    const { put, sync, run, objects, root } = await localSync(t, dialect)
    await put('in/a.txt', 'a')
    await put('in/b.txt', 'b')
    const all = await sync({ deletion_policy: 'delete' })
    const part = await sync({ source_path: 'in', deletion_policy: 'delete' })
    for (const { sync_config_id } of [all, part, all, part]) {
      const { counts } = await run(sync_config_id)
      assert.deepEqual([counts.unchanged, counts.updated, counts.deleted], [2, 0, 0])
    }
    await rm(join(root, 'in/a.txt'))
    const [first, second] = [await run(all.sync_config_id), await run(part.sync_config_id)]
    assert.equal(first.counts.deleted + second.counts.deleted, 1)
    assert.equal((await objects()).length, 1)
  })

  test(`a run that met an unreadable folder before it was interrupted removes nothing afterwards (${dialect})`, async (t) => {
    const { put, sync, run, objects, root, request, bucket_id, deps } = await localSync(t, dialect)
    await put('a.txt', 'a')
    await put('b.txt', 'b')
    const { sync_config_id } = await sync({ deletion_policy: 'delete' })
    // Nothing is read below 64 folders, which is a part of the source that cannot be listed.
    await mkdir(join(root, 'd/'.repeat(66)), { recursive: true })
    const { run_number } = await run(sync_config_id)
    await rm(join(root, 'a.txt'))
    const path = `/v1/buckets/${bucket_id}/syncs/${sync_config_id}`
    await request('POST', `${path}/trigger`)
    // What a worker leaves that was killed after it had recorded the folder.
    await deps.db
      .updateTable('sync_items')
      .set({ run_number: run_number + 1, seen_run: run_number + 1 })
      .where('state', '=', 'failed')
      .execute()
    const { counts } = await run(sync_config_id)
    assert.deepEqual([counts.deleted, (await objects()).length], [0, 2])
  })
}
