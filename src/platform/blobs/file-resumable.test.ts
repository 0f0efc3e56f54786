import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { FileResumableWrites } from './file-resumable.ts'

test('a finish syncs bytes that a killed writer had written and not synced', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kura-resumable-'))
  try {
    const writes = new FileResumableWrites((key) => join(folder, key))
    await writes.begin('a')
    const killed = await open(join(folder, 'a.partial.tmp'), 'a')
    await killed.writeFile('all of it')
    const synced = t.mock.method(Object.getPrototypeOf(killed) as typeof killed, 'datasync')
    await killed.close()
    assert.equal(await writes.offset('a'), 9)
    await writes.finish('a')
    assert.equal(synced.mock.callCount(), 1)
    assert.equal(await readFile(join(folder, 'a'), 'utf8'), 'all of it')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
