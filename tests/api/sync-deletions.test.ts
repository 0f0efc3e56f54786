import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
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
    const { put, sync, run, objects, root } = await localSync(t, dialect)
    await put('a.txt', 'a')
    await put('b.txt', 'b')
    const { sync_config_id } = await sync({ deletion_policy: 'delete' })
    await rm(join(root, 'a.txt'))
    // The folder can be listed, while the path of its file is longer than the system takes.
    const folders = Array.from({ length: 16 }, () => 'f'.repeat(240))
    const name = `${'n'.repeat(240)}.txt`
    inFolders(root, folders, () => writeFileSync(name, 'hidden'))
    const hidden = await run(sync_config_id)
    inFolders(root, folders, () => rmSync(name))
    assert.deepEqual([hidden.counts.failed, hidden.counts.deleted], [1, 0])
    assert.equal((await objects()).length, 2)
    assert.equal((await run(sync_config_id)).counts.deleted, 1)
  })
}
