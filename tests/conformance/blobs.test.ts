import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { mapConcurrently } from '../../src/lib/concurrency.ts'
import { collect } from '../../src/lib/streams.ts'
import { BlobMismatchError, BlobMissingError, type BlobStore } from '../../src/platform/blobs/blobs.ts'
import { BLOB_STORES, listed, type OpenedBlobs } from '../support/blob-stores.ts'

const MIB = 1024 * 1024
const KILLED_WRITER = join(import.meta.dirname, '..', 'support', 'killed-writer.ts')
const LIMIT = { limit_bytes: 100 * MIB }

for (const { name, skip, open } of BLOB_STORES) {
  describe(`blob store: ${name}`, { skip }, () => {
    let store: BlobStore
    let remains: OpenedBlobs['remains']
    let config: OpenedBlobs['config']
    let close: OpenedBlobs['close']
    before(async () => {
      ;({ store, remains, config, close } = await open())
    })
    after(() => close())

    async function* stream(...chunks: (Uint8Array | string | Error)[]) {
      for (const chunk of chunks) {
        if (chunk instanceof Error) throw chunk
        yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      }
    }
    const text = async (key: string, range?: { start: number; end: number }) =>
      Buffer.from(await collect(await store.read(key, range))).toString()
    const keys = async (prefix: string) => (await listed(store, prefix)).map(({ key }) => key)

    test('what was put comes back, with its size and hash', async () => {
      const stored = await store.put('a/b/one', stream('hello ', 'world'), LIMIT)
      const sha256 = createHash('sha256').update('hello world').digest('hex')
      assert.deepEqual(stored, { size_bytes: 11, sha256 })
      assert.equal(await text('a/b/one'), 'hello world')
      assert.equal(await store.size('a/b/one'), 11)
    })

    test('an empty blob is a blob', async () => {
      assert.equal((await store.put('a/empty', stream(), LIMIT)).size_bytes, 0)
      assert.equal(await text('a/empty'), '')
      assert.equal(await store.size('a/empty'), 0)
    })

    test('a range gives its bytes, both ends included', async () => {
      await store.put('a/range', stream('0123456789'), LIMIT)
      assert.equal(await text('a/range', { start: 2, end: 4 }), '234')
      assert.equal(await text('a/range', { start: 9, end: 9 }), '9')
      assert.equal(await text('a/range', { start: 0, end: 9 }), '0123456789')
    })

    test('a second put replaces the first as a whole', async () => {
      await store.put('a/twice', stream('a long first version'), LIMIT)
      await store.put('a/twice', stream('short'), LIMIT)
      assert.equal(await text('a/twice'), 'short')
    })

    test('a missing key reads as an error, measures null and deletes without complaint', async () => {
      await assert.rejects(store.read('a/nothing'), BlobMissingError)
      assert.equal(await store.size('a/nothing'), null)
      await store.delete('a/nothing')
      await store.put('a/gone', stream('x'), LIMIT)
      await store.delete('a/gone')
      assert.equal(await store.size('a/gone'), null)
    })

    test('past the limit, on a broken source or an abort nothing is stored and nothing left over', async () => {
      const before = await remains()
      await assert.rejects(store.put('b/big', stream('12345', '67890'), { limit_bytes: 9 }), {
        code: 'payload_too_large',
      })
      await assert.rejects(store.put('b/broken', stream('123', new Error('cut')), LIMIT), { message: 'cut' })
      const signal = AbortSignal.abort()
      await assert.rejects(store.put('b/aborted', stream('123'), { ...LIMIT, signal }), {
        name: 'AbortError',
      })
      assert.equal(await remains(), before)
      assert.equal(await store.size('b/big'), null)
      assert.ok((await store.put('b/fits', stream('123456789'), { limit_bytes: 9 })).size_bytes)
    })

    test('a failed replacement leaves the old bytes', async () => {
      await store.put('b/old', stream('old'), LIMIT)
      await assert.rejects(store.put('b/old', stream('n', new Error('cut')), LIMIT))
      assert.equal(await text('b/old'), 'old')
    })

    test('a list gives the keys of a prefix, in order, with sizes and times', async () => {
      for (const key of ['c/2/y', 'c/1/x', 'c/1/xx', 'cc/1', 'c1']) await store.put(key, stream(key), LIMIT)
      assert.deepEqual(await keys('c/'), ['c/1/x', 'c/1/xx', 'c/2/y'])
      assert.deepEqual(await keys('c/1/x'), ['c/1/x', 'c/1/xx'])
      assert.deepEqual(await keys('c'), ['c/1/x', 'c/1/xx', 'c/2/y', 'c1', 'cc/1'])
      assert.deepEqual(await keys('d/'), [])
      for await (const { size_bytes, modified_at_ms } of store.list('cc/')) {
        assert.equal(size_bytes, 4)
        assert.ok(Math.abs(Date.now() - modified_at_ms) < 60_000)
      }
    })

    test('a list of thousands is complete and in order', async () => {
      const wanted = Array.from({ length: 1100 }, (_, i) => `many/${i % 7}/${String(i).padStart(5, '0')}`)
      await mapConcurrently(wanted, 16, (key) => store.put(key, stream('x'), LIMIT))
      assert.deepEqual(await keys('many/'), wanted.sort())
    })

    test('bytes that do not have the announced hash are refused and replace nothing', async () => {
      const sha256 = createHash('sha256').update('right').digest('hex')
      await store.put('b/hash', stream('right'), { ...LIMIT, sha256 })
      const before = await remains()
      await assert.rejects(store.put('b/hash', stream('wrong'), { ...LIMIT, sha256 }), BlobMismatchError)
      const large = Array.from({ length: 10 }, () => randomBytes(MIB))
      await assert.rejects(store.put('b/hash', stream(...large), { ...LIMIT, sha256 }), BlobMismatchError)
      assert.equal(await text('b/hash'), 'right')
      assert.equal(await remains(), before)
    })

    test('what a killed writer leaves is listed, so that it can be swept', async () => {
      const child = spawn(process.execPath, [KILLED_WRITER, JSON.stringify(config), 'killed/large'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      // It writes without end and tells when parts are stored.
      await new Promise((resolve) => child.stdout.once('data', resolve))
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
      assert.equal(await store.size('killed/large'), null)
      const [leftover, ...more] = await keys('killed/')
      assert.ok(leftover !== undefined && leftover !== 'killed/large' && more.length === 0)
      await store.delete(leftover)
      assert.deepEqual(await keys('killed/'), [])
      assert.equal(await store.size(leftover), null)
    })

    test('a key that leads out of the store is refused', async () => {
      for (const key of ['../x', 'a/../../x', '/etc/passwd', 'a//b', '', 'a\\b', 'a/\0'])
        await assert.rejects(store.put(key, stream('x'), LIMIT), Error, key)
    })

    test('writers of one key do not mix their bytes', async () => {
      const versions = Array.from({ length: 8 }, (_, i) => String(i).repeat(200_000))
      await Promise.all(
        versions.map((version) =>
          store.put('e/race', stream(version.slice(0, 99_999), version.slice(99_999)), LIMIT),
        ),
      )
      assert.ok(versions.includes(await text('e/race')))
    })

    test('a file larger than memory should hold streams through, in and out', async () => {
      const chunk = randomBytes(MIB)
      const hash = createHash('sha256')
      async function* large() {
        for (let i = 0; i < 300; i++) {
          hash.update(chunk)
          yield chunk
        }
      }
      const limit = { limit_bytes: 300 * MIB }
      const before = process.memoryUsage.rss()
      let peak = before
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage.rss())
      }, 20)
      const stored = await store.put('f/large', large(), limit)
      assert.deepEqual(stored, { size_bytes: 300 * MIB, sha256: hash.digest('hex') })
      let read = 0
      for await (const part of await store.read('f/large')) read += part.byteLength
      clearInterval(watch)
      assert.equal(read, 300 * MIB)
      assert.ok(peak - before < 150 * MIB, `memory grew by ${Math.round((peak - before) / MIB)} MiB`)
      await store.delete('f/large')
    })
  })
}
