import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { collect } from '../../src/lib/streams.ts'
import { BlobOffsetError, type BlobStore } from '../../src/platform/blobs/blobs.ts'
import { BLOB_STORES, listed, type OpenedBlobs } from '../support/blob-stores.ts'

const MIB = 1024 * 1024
const LIMIT = { limit_bytes: 100 * MIB }
const BYTES = randomBytes(21 * MIB + 12_345)

/** The bytes from `start` on in uneven chunks, breaking off at `cut` with an error. */
async function* source(start = 0, { end = BYTES.length, cut }: { end?: number; cut?: number } = {}) {
  for (let at = start; at < end; ) {
    const next = Math.min(at + 65_537, end)
    if (cut !== undefined && next > cut) {
      yield BYTES.subarray(at, cut)
      throw new Error('cut')
    }
    yield BYTES.subarray(at, next)
    at = next
  }
}

for (const { name, skip, open } of BLOB_STORES) {
  describe(`resumable writes: ${name}`, { skip }, () => {
    let opened: OpenedBlobs
    let store: BlobStore
    before(async () => {
      opened = await open()
      store = opened.store
    })
    after(() => opened.close())

    const content = async (key: string) => Buffer.from(await collect(await store.read(key)))

    test('a source that is cut again and again goes on where it stood, in whichever process', async () => {
      const key = 'r/cut'
      await store.resumable.begin(key, { mime_type: 'video/mp4' })
      assert.equal(await store.resumable.offset(key), 0)
      for (const cut of [100, 101, 5 * MIB, 8 * MIB, 8 * MIB + 1, 17 * MIB, 20 * MIB]) {
        // Every attempt is another process, which knows nothing but the key.
        const { resumable } = opened.reopen()
        const offset = (await resumable.offset(key))!
        await assert.rejects(resumable.append(key, offset, source(offset, { cut }), LIMIT), {
          message: 'cut',
        })
        assert.equal(await store.resumable.offset(key), cut)
        assert.equal(await store.size(key), null, 'nothing is visible before the end')
      }
      const offset = (await store.resumable.offset(key))!
      assert.equal(await store.resumable.append(key, offset, source(offset), LIMIT), BYTES.length)
      assert.deepEqual(await opened.reopen().resumable.finish(key), { size_bytes: BYTES.length })
      assert.ok(BYTES.equals(await content(key)))
      assert.equal(await store.resumable.offset(key), null)
    })

    test('small appends add up, also over the edge of a part', async () => {
      const key = 'r/small'
      await store.resumable.begin(key, {})
      for (let at = 0; at < 17 * MIB; at += 3 * MIB)
        assert.equal(
          await store.resumable.append(key, at, source(at, { end: at + 3 * MIB }), LIMIT),
          at + 3 * MIB,
        )
      await store.resumable.finish(key)
      assert.ok(BYTES.subarray(0, 18 * MIB).equals(await content(key)))
    })

    for (const size of [0, 1, 8 * MIB, 16 * MIB])
      test(`a write of ${size} bytes is whole`, async () => {
        const key = `r/size-${size}`
        await store.resumable.begin(key, {})
        if (size > 0) await store.resumable.append(key, 0, source(0, { end: size }), LIMIT)
        assert.deepEqual(await store.resumable.finish(key), { size_bytes: size })
        assert.ok(BYTES.subarray(0, size).equals(await content(key)))
      })

    test('beginning twice keeps what has arrived, finishing twice is no error', async () => {
      const key = 'r/twice'
      await store.resumable.begin(key, {})
      await store.resumable.append(key, 0, source(0, { end: 1000 }), LIMIT)
      await store.resumable.begin(key, {})
      assert.equal(await store.resumable.offset(key), 1000)
      await store.resumable.finish(key)
      assert.deepEqual(await store.resumable.finish(key), { size_bytes: 1000 })
    })

    test('another offset than the durable one is refused and changes nothing', async () => {
      const key = 'r/offset'
      await store.resumable.begin(key, {})
      await store.resumable.append(key, 0, source(0, { end: 1000 }), LIMIT)
      for (const wrong of [0, 999, 1001])
        await assert.rejects(
          store.resumable.append(key, wrong, source(wrong, { end: 2000 }), LIMIT),
          BlobOffsetError,
        )
      assert.equal(await store.resumable.offset(key), 1000)
      await store.resumable.abort(key)
    })

    test('past the limit the write is refused and keeps what fits', async () => {
      const key = 'r/limit'
      await store.resumable.begin(key, {})
      const limit = { limit_bytes: 100_000 }
      await assert.rejects(store.resumable.append(key, 0, source(), limit), { code: 'payload_too_large' })
      const offset = (await store.resumable.offset(key))!
      assert.ok(offset > 0 && offset <= 100_000)
      await store.resumable.abort(key)
    })

    test('an abort signal stops the write and keeps what has arrived', async () => {
      const key = 'r/signal'
      const stop = new AbortController()
      async function* watched() {
        yield BYTES.subarray(0, 1000)
        stop.abort()
        yield BYTES.subarray(1000, 2000)
      }
      await store.resumable.begin(key, {})
      await assert.rejects(store.resumable.append(key, 0, watched(), { ...LIMIT, signal: stop.signal }), {
        name: 'AbortError',
      })
      assert.equal(await store.resumable.offset(key), 1000)
      await store.resumable.abort(key)
    })

    test('an aborted write leaves nothing, and what never began cannot go on', async () => {
      const key = 'r/aborted'
      const before = await opened.remains()
      await store.resumable.begin(key, {})
      await store.resumable.append(key, 0, source(0, { end: 10 * MIB }), LIMIT)
      await store.resumable.abort(key)
      await store.resumable.abort(key)
      assert.equal(await store.resumable.offset(key), null)
      assert.equal(await opened.remains(), before)
      await assert.rejects(store.resumable.append(key, 0, source(), LIMIT))
      await assert.rejects(store.resumable.finish(key))
    })

    test('an unfinished write is one leftover in the list; deleting that ends it', async () => {
      const key = 'left/over'
      await store.resumable.begin(key, {})
      await store.resumable.append(key, 0, source(0, { end: 10 * MIB }), LIMIT)
      const found = await listed(store, 'left/')
      assert.equal(found.length, 1)
      assert.notEqual(found[0]!.key, key)
      assert.ok(Math.abs(Date.now() - found[0]!.modified_at_ms) < 60_000)
      await store.delete(found[0]!.key)
      assert.equal(await store.resumable.offset(key), null)
      assert.deepEqual(await listed(store, 'left/'), [])
    })
  })
}
