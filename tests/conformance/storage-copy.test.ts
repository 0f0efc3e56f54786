import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { newId } from '../../src/core/ids.ts'
import { collect } from '../../src/lib/streams.ts'
import type { BlobStore } from '../../src/platform/blobs/blobs.ts'
import { type Db, inTransaction } from '../../src/platform/db/db.ts'
import { copyFiles } from '../../src/platform/files/copy-files.ts'
import { Files, loadSigningKey } from '../../src/platform/files/files.ts'
import { countStoredBytes } from '../../src/platform/files/stored-bytes.ts'
import { verifyFiles } from '../../src/platform/files/verify-files.ts'
import { BLOB_STORES, listed, type OpenedBlobs } from '../support/blob-stores.ts'
import { DIALECTS, testDb } from '../support/test-db.ts'

const SCOPE = { organizationId: 'org_a', namespaceId: 'ns_a' }
const SIZE = 100_000
const FILES = 5

async function* stream(bytes: Uint8Array) {
  yield bytes
}

for (const dialect of DIALECTS)
  describe(`copying stored files (${dialect})`, () => {
    let db: Db
    let from: OpenedBlobs
    let to: OpenedBlobs
    let close: () => Promise<void>
    const folder = BLOB_STORES[0]!

    before(async () => {
      const opened = await testDb(dialect)
      db = opened.db
      from = await folder.open()
      close = async () => {
        await opened.close()
        await from.close()
      }
      const files = new Files({ db, blobs: from.store, signing_key: await loadSigningKey(db) })
      for (let i = 0; i < FILES; i++) {
        const options = {
          mime_type: 'text/plain',
          filename: null,
          limit_bytes: SIZE,
          storage_class: 'nearline',
        }
        const staged = await files.stage(SCOPE, Buffer.alloc(SIZE, `file ${i}`), options)
        await inTransaction(db, async (trx) => {
          const [file_id] = await files.commit(trx, SCOPE, [staged], { type: 'object', id: newId.object() })
          // A clone shares the bytes.
          await files.shareWith(trx, SCOPE, { namespaceId: 'ns_b' }, new Map([[file_id!, newId.file()]]))
        })
      }
      await from.store.put('uploads/waiting', stream(Buffer.from('not confirmed')), { limit_bytes: 100 })
      await from.store.resumable.begin('uploads/unfinished', {})
    })
    after(() => close())
    beforeEach(async () => {
      to = await folder.open()
    })
    afterEach(() => to.close())

    const copy = (
      target: BlobStore,
      more: { signal?: AbortSignal; dry_run?: boolean; onDone?: () => void } = {},
    ) => copyFiles({ db, from: from.store, to: target, concurrency: 2, dry_run: false, ...more })
    const EVERYTHING = { copied: FILES + 1, copied_bytes: FILES * SIZE + 13, unfinished: 1, problems: [] }

    test('shared bytes are counted and copied once, waiting uploads come along, unfinished ones stay', async () => {
      assert.deepEqual(await countStoredBytes(db), { files: FILES, size_bytes: FILES * SIZE })
      assert.deepEqual(await copy(to.store, { dry_run: true }), { ...EVERYTHING, skipped: 0 })
      assert.deepEqual(await listed(to.store, ''), [])
      assert.deepEqual(await copy(to.store), { ...EVERYTHING, skipped: 0 })
      const again = await copy(to.store)
      assert.deepEqual([again.copied, again.skipped], [1, FILES])
      const verified = await verifyFiles({ db, blobs: to.store, concurrency: 2, sizes_only: false })
      assert.deepEqual(verified, { checked: FILES, checked_bytes: FILES * SIZE, problems: [] })
    })

    test('bytes of equal size that an upload received since the last copy replace the earlier ones', async () => {
      const replace = (text: string) =>
        from.store.put('uploads/waiting', stream(Buffer.from(text)), { limit_bytes: 100 })
      await copy(to.store)
      await replace('NOT CONFIRMED')
      await copy(to.store)
      await replace('not confirmed')
      const copied = Buffer.from(await collect(await to.store.read('uploads/waiting')))
      assert.equal(copied.toString(), 'NOT CONFIRMED')
    })

    test('a copy that is stopped leaves whole files, and goes on with the rest', async () => {
      const stop = new AbortController()
      const interrupted = copy(to.store, {
        signal: stop.signal,
        onDone: () => stop.abort(new Error('stopped')),
      })
      await assert.rejects(interrupted, { message: 'stopped' })
      const there = await listed(to.store, '')
      assert.ok(there.length >= 1 && there.length < FILES)
      assert.ok(there.every(({ size_bytes }) => size_bytes === SIZE))
      const { copied, skipped } = await copy(to.store)
      assert.deepEqual([copied, skipped], [FILES + 1 - there.length, there.length])
    })

    test('damaged bytes are named, never copied, and found by a verification', async () => {
      await copy(to.store)
      const [one, two, three] = await listed(to.store, 'files/')
      await to.store.put(one!.key, stream(Buffer.alloc(SIZE, 'x')), { limit_bytes: SIZE })
      await to.store.put(two!.key, stream(Buffer.alloc(SIZE + 1)), { limit_bytes: SIZE + 1 })
      await to.store.delete(three!.key)
      const quick = await verifyFiles({ db, blobs: to.store, concurrency: 2, sizes_only: true })
      const whole = await verifyFiles({ db, blobs: to.store, concurrency: 2, sizes_only: false })
      assert.deepEqual([quick.problems.length, whole.problems.length], [2, 3])

      const next = await folder.open()
      try {
        const damaged = { db, from: to.store, to: next.store, concurrency: 2, dry_run: false }
        const { copied, problems } = await copyFiles(damaged)
        assert.equal(copied, FILES + 1 - 3)
        assert.deepEqual(
          new Map(problems.map(({ storage_key, reason }) => [storage_key, reason.split(':')[0]])),
          new Map([
            [one!.key, 'damaged'],
            [two!.key, 'damaged'],
            [three!.key, 'missing'],
          ]),
        )
        assert.equal((await listed(next.store, 'files/')).length, FILES - 3)
      } finally {
        await next.close()
      }
    })
  })
