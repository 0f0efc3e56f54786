import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { KuraError } from '../../src/core/errors.ts'
import { newId, sha256 } from '../../src/core/ids.ts'
import { collect } from '../../src/lib/streams.ts'
import type { BlobStore } from '../../src/platform/blobs/blobs.ts'
import { type Db, inTransaction } from '../../src/platform/db/db.ts'
import { Files, loadSigningKey } from '../../src/platform/files/files.ts'
import { BLOB_STORES } from '../support/blob-stores.ts'
import { DIALECTS, testDb } from '../support/test-db.ts'

const SCOPE = { organizationId: 'org_a', namespaceId: 'ns_a' }
const OTHER = { organizationId: 'org_a', namespaceId: 'ns_b' }
const TEXT = { mime_type: 'text/plain', filename: 'a.txt', limit_bytes: 10_000_000 }
const SMALL = Buffer.from('hello files')
const LARGE = Buffer.alloc(200_000, 'large ')

const WHERE = DIALECTS.flatMap((dialect) => BLOB_STORES.map((store) => ({ dialect, store })))

for (const { dialect, store } of WHERE) {
  describe(`files (${dialect}, ${store.name})`, { skip: store.skip }, () => {
    let db: Db
    let blobs: BlobStore
    let files: Files
    let close: () => Promise<void>

    before(async () => {
      const [opened, stored] = await Promise.all([testDb(dialect), store.open()])
      db = opened.db
      blobs = stored.store
      close = async () => {
        await opened.close()
        await stored.close()
      }
      files = new Files({ db, blobs, signing_key: await loadSigningKey(db) })
    })
    after(() => close())

    const newOwner = () => ({ type: 'object' as const, id: newId.object() })
    async function keep(bytes: Uint8Array, owner = newOwner(), share = false) {
      const staged = await files.stage(SCOPE, bytes, TEXT)
      const file_ids = await inTransaction(db, (trx) => files.commit(trx, SCOPE, [staged], owner, { share }))
      await files.discard([staged], file_ids)
      return { file_id: file_ids[0]!, owner, staged }
    }
    async function release(...owner_ids: string[]) {
      const orphans = await inTransaction(db, (trx) => files.release(trx, SCOPE, 'object', owner_ids))
      await files.deleteBytes(orphans)
      return orphans
    }

    for (const [name, bytes] of [
      ['small', SMALL],
      ['large', LARGE],
    ] as const) {
      test(`a ${name} file comes back as it went in, whole and in parts`, async () => {
        const { file_id, staged } = await keep(bytes)
        assert.equal(staged.storage_key === null, name === 'small')
        const { created_at, ...info } = await files.info(SCOPE, file_id)
        assert.match(created_at, /Z$/)
        const { limit_bytes: _, ...named } = TEXT
        assert.deepEqual(info, {
          file_id,
          sha256: sha256(bytes),
          size_bytes: bytes.length,
          storage_class: null,
          ...named,
        })
        assert.ok(bytes.equals(await files.bytes(SCOPE, file_id, bytes.length)))
        const part = await collect(await files.read(SCOPE, file_id, { start: 2, end: 5 }))
        assert.ok(bytes.subarray(2, 6).equals(part))
        await assert.rejects(files.bytes(SCOPE, file_id, bytes.length - 1), { code: 'payload_too_large' })
        await assert.rejects(files.info(OTHER, file_id), { code: 'file_not_found' })
      })
    }

    test('a file remembers the storage class that its bytes were written with', async () => {
      const staged = await files.stage(SCOPE, LARGE, { ...TEXT, storage_class: 'coldline' })
      const [file_id] = await inTransaction(db, (trx) => files.commit(trx, SCOPE, [staged], newOwner()))
      assert.equal((await files.info(SCOPE, file_id!)).storage_class, 'coldline')
    })

    test('a stream is staged like a buffer, whatever its chunks', async () => {
      async function* source(bytes: Buffer) {
        for (let i = 0; i < bytes.length; i += 7001) yield bytes.subarray(i, i + 7001)
      }
      for (const bytes of [Buffer.alloc(0), SMALL, LARGE]) {
        const staged = await files.stage(SCOPE, source(bytes), TEXT)
        assert.equal(staged.sha256, sha256(bytes))
        assert.ok(Buffer.from(staged.head).equals(bytes.subarray(0, 65_536)))
        await files.discard([staged])
      }
    })

    test('bytes over the limit are refused and leave nothing behind', async () => {
      for (const bytes of [SMALL, LARGE])
        await assert.rejects(files.stage(SCOPE, bytes, { ...TEXT, limit_bytes: bytes.length - 1 }), {
          code: 'payload_too_large',
        })
      assert.deepEqual(await strayKeys(), [])
    })

    test('equal bytes share one file when asked to, and it lives until the last owner is gone', async () => {
      const bytes = Buffer.alloc(100_000, 'shared')
      const first = await keep(bytes)
      const second = await keep(bytes, newOwner(), true)
      const third = await keep(bytes)
      assert.equal(second.file_id, first.file_id)
      assert.notEqual(third.file_id, first.file_id)
      assert.equal(await blobs.size(second.staged.storage_key!), null, 'the surplus copy was dropped')
      assert.deepEqual(await release(first.owner.id), [])
      assert.ok(bytes.equals(await files.bytes(SCOPE, second.file_id, bytes.length)))
      assert.equal((await release(second.owner.id)).length, 1)
      await assert.rejects(files.info(SCOPE, first.file_id), { code: 'file_not_found' })
      assert.equal(await blobs.size(first.staged.storage_key!), null)
      assert.ok(bytes.equals(await files.bytes(SCOPE, third.file_id, bytes.length)))
    })

    test('equal bytes of another type are another file', async () => {
      const first = await keep(SMALL)
      const staged = await files.stage(SCOPE, SMALL, { ...TEXT, mime_type: 'text/html' })
      const ids = await inTransaction(db, (trx) =>
        files.commit(trx, SCOPE, [staged, staged], newOwner(), { share: true }),
      )
      assert.notEqual(ids[0], first.file_id)
      assert.equal(ids[0], ids[1], 'equal files of one owner are one')
    })

    test('a reference keeps a file; one to a file that does not exist is refused', async () => {
      const { file_id, owner } = await keep(SMALL)
      const document = { type: 'document' as const, id: 'doc_1' }
      await inTransaction(db, (trx) => files.reference(trx, SCOPE, file_id, document))
      await release(owner.id)
      assert.equal((await files.info(SCOPE, file_id)).file_id, file_id)
      await assert.rejects(
        inTransaction(db, (trx) => files.reference(trx, OTHER, file_id, document)),
        { code: 'file_not_found' },
      )
    })

    test('a signature fits one method, tenant, file and time only', async () => {
      const { file_id } = await keep(SMALL)
      const url = new URL(files.signedUrl(SCOPE, file_id, { expires_in_seconds: 60, base_url: 'http://h' }))
      assert.equal(url.pathname, `/v1/files/ns_a/${file_id}`)
      const expires = Number(url.searchParams.get('expires'))
      const signature = url.searchParams.get('signature')!
      const access = { method: 'GET' as const, scope: SCOPE, file_id, expires }
      assert.ok(files.verify(access, signature))
      for (const wrong of [
        { ...access, method: 'PUT' as const },
        { ...access, scope: OTHER },
        { ...access, scope: { ...SCOPE, organizationId: 'org_b' } },
        { ...access, file_id: `${file_id}x` },
        { ...access, expires: expires + 1 },
        { ...access, expires: Number.NaN },
      ])
        assert.ok(!files.verify(wrong, signature))
      assert.ok(!files.verify(access, ''))
      const gone = new URL(files.signedUrl(SCOPE, file_id, { expires_in_seconds: -1, base_url: 'http://h' }))
      const past = Number(gone.searchParams.get('expires'))
      assert.ok(!files.verify({ ...access, expires: past }, gone.searchParams.get('signature')!))
    })

    test('the signing key is made once and stays', async () => {
      assert.deepEqual(await loadSigningKey(db), await loadSigningKey(db))
    })

    test('the sweep removes bytes that never got a row, and only old ones', async () => {
      const kept = await keep(LARGE)
      const crashed = await files.stage(SCOPE, LARGE, TEXT)
      await files.sweepOrphans({ older_than_ms: 60_000 })
      assert.notEqual(await blobs.size(crashed.storage_key!), null, 'a request may still commit it')
      const swept = await files.sweepOrphans({ older_than_ms: -1000 })
      assert.equal(swept.files_deleted, 1)
      assert.equal(swept.bytes_deleted, LARGE.length)
      assert.equal(await blobs.size(crashed.storage_key!), null)
      assert.ok(LARGE.equals(await files.bytes(SCOPE, kept.file_id, LARGE.length)))
    })

    test('discarding never removes bytes whose commit did happen', async () => {
      const staged = await files.stage(SCOPE, LARGE, TEXT)
      await inTransaction(db, (trx) => files.commit(trx, SCOPE, [staged], newOwner()))
      await files.discard([staged])
      assert.notEqual(await blobs.size(staged.storage_key!), null)
    })

    async function strayKeys(): Promise<string[]> {
      const keys: string[] = []
      for await (const { key } of blobs.list('files/')) {
        const row = await db
          .selectFrom('files')
          .select('file_id')
          .where('storage_key', '=', key)
          .executeTakeFirst()
        if (!row) keys.push(key)
      }
      return keys
    }

    test('an error is a KuraError with its place in the table', async () => {
      await assert.rejects(
        files.read(SCOPE, 'file_missing'),
        (error) => error instanceof KuraError && error.row.status === 404,
      )
    })

    test('sharing and releasing the same file at once never leaves a reference without a file', async () => {
      for (let round = 0; round < 10; round++) {
        const bytes = Buffer.from(`contested ${round}`)
        const first = await keep(bytes)
        const [, second] = await Promise.all([release(first.owner.id), keep(bytes, newOwner(), true)])
        assert.ok(bytes.equals(await files.bytes(SCOPE, second.file_id, bytes.length)))
      }
    })

    test('files of many owners are committed together, each owner with its own', async () => {
      const owners = [newOwner(), newOwner(), newOwner()]
      const items = await Promise.all(
        owners.map(async (owner, i) => ({
          owner,
          staged: await Promise.all(
            Array.from({ length: i }, (_, n) => files.stage(SCOPE, Buffer.from(`${i} ${n}`), TEXT)),
          ),
        })),
      )
      const ids = await inTransaction(db, (trx) => files.commitAll(trx, SCOPE, items))
      assert.deepEqual(
        ids.map((some) => some.length),
        [0, 1, 2],
      )
      await release(owners[2]!.id)
      await assert.rejects(files.info(SCOPE, ids[2]![0]!), { code: 'file_not_found' })
      assert.equal((await files.info(SCOPE, ids[1]![0]!)).size_bytes, 3)
    })

    test('some files of an owner can be released, the others stay', async () => {
      const owner = newOwner()
      const one = await keep(SMALL, owner)
      const two = await keep(LARGE, owner)
      const orphans = await inTransaction(db, (trx) => files.releaseFiles(trx, SCOPE, owner, [two.file_id]))
      assert.deepEqual(orphans, [{ storage_key: two.staged.storage_key }])
      assert.equal((await files.info(SCOPE, one.file_id)).file_id, one.file_id)
      await assert.rejects(files.info(SCOPE, two.file_id), { code: 'file_not_found' })
    })
  })
}
