import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { collect } from '../../lib/streams.ts'
import type { BlobStore } from '../blobs/blobs.ts'
import type { Db, Trx } from '../db/db.ts'
import { isSigned, type SignedAccess, type SignedUpload, sign } from './signing.ts'
import { FILE_KEY_PREFIX, parseFileKey, type StagedFile, type StageOptions, stageFile } from './staging.ts'
import * as store from './store.ts'

export { loadSigningKey } from './signing.ts'
export { INLINE_BYTES_MAX, type StagedFile, type StageOptions } from './staging.ts'
export type { FileOwner, OrphanedFile } from './store.ts'

export type FileInfo = {
  file_id: string
  sha256: string
  size_bytes: number
  mime_type: string
  filename: string | null
  storage_class: string | null
  created_at: string
}

/** Bytes `start` to `end`, both inclusive. */
export type ByteRange = { start: number; end: number }

/** Where a failed clean-up is reported; the sweep repeats it later. */
export type FileLog = { warn(details: object, message: string): void }

export type FilesOptions = { db: Db; blobs: BlobStore; signing_key: Buffer; log?: FileLog }

/**
 * Files of objects and documents: rows with reference counts, bytes in the row (small) or in the
 * blob store. The order is always: stage the bytes, commit rows and references in the transaction
 * of their owner, and after a removal has committed, delete bytes. A crash in between leaves bytes
 * without a row, never a row without bytes; `sweepOrphans` removes them.
 */
export class Files {
  readonly #db: Db
  readonly #blobs: BlobStore
  readonly #signing_key: Buffer
  readonly #log: FileLog | undefined

  constructor({ db, blobs, signing_key, log }: FilesOptions) {
    this.#db = db
    this.#blobs = blobs
    this.#signing_key = signing_key
    this.#log = log
  }

  /** Makes bytes durable before their row exists. Whoever stages MUST commit or `discard`. */
  stage(
    scope: Scope,
    source: Uint8Array | AsyncIterable<Uint8Array>,
    options: StageOptions,
  ): Promise<StagedFile> {
    return stageFile(this.#blobs, scope.namespaceId, source, options)
  }

  /**
   * Inserts rows and references; returns the file id of each staged file. With `share`, equal bytes
   * of equal type refer to a file that exists already; call `discard(staged, file_ids)` after the
   * commit to drop the surplus copies.
   */
  async commit(
    trx: Trx,
    scope: Scope,
    staged: readonly StagedFile[],
    owner: store.FileOwner,
    { share = false }: { share?: boolean } = {},
  ): Promise<string[]> {
    const [file_ids = []] = await this.commitAll(trx, scope, [{ owner, staged }], { share })
    return file_ids
  }

  /** `commit` for many owners in few statements; the ids are in the order of what was given. */
  async commitAll(
    trx: Trx,
    scope: Scope,
    items: readonly { owner: store.FileOwner; staged: readonly StagedFile[] }[],
    { share = false }: { share?: boolean } = {},
  ): Promise<string[][]> {
    const all = items.flatMap(({ staged }) => staged)
    if (all.length === 0) return items.map(() => [])
    const known = share ? await store.findEqualFiles(trx, scope, all) : new Map<string, string>()
    const fresh: StagedFile[] = []
    const place = (file: StagedFile) => {
      const content = store.contentKey(file)
      const equal = share ? known.get(content) : undefined
      if (equal !== undefined) return equal
      fresh.push(file)
      known.set(content, file.file_id)
      return file.file_id
    }
    const file_ids = items.map(({ staged }) => staged.map(place))
    await store.insertFiles(trx, scope, fresh)
    const references = items.flatMap(({ owner }, i) => file_ids[i]!.map((file_id) => ({ file_id, owner })))
    await store.insertReferences(trx, scope, references)
    return file_ids
  }

  /** Lets another owner keep a file alive. Throws `file_not_found`. */
  async reference(trx: Trx, scope: Scope, file_id: string, owner: store.FileOwner): Promise<void> {
    if (!(await store.lockFile(trx, scope, file_id))) throw notFound(file_id)
    await store.insertReferences(trx, scope, [{ file_id, owner }])
  }

  /**
   * Removes the references of owners, and the files that nobody refers to any more. After the
   * transaction has committed, hand the result to `deleteBytes`.
   */
  async release(
    trx: Trx,
    scope: Scope,
    owner_type: store.FileOwner['type'],
    owner_ids: readonly string[],
  ): Promise<store.OrphanedFile[]> {
    const file_ids = await store.filesOfOwners(trx, scope, owner_type, owner_ids)
    if (file_ids.length === 0) return []
    await store.lockFiles(trx, scope, file_ids)
    await store.deleteReferences(trx, scope, owner_type, owner_ids)
    return store.deleteUnreferenced(trx, scope, file_ids)
  }

  /** `release` for some files of one owner. */
  async releaseFiles(
    trx: Trx,
    scope: Scope,
    owner: store.FileOwner,
    file_ids: readonly string[],
  ): Promise<store.OrphanedFile[]> {
    if (file_ids.length === 0) return []
    await store.lockFiles(trx, scope, file_ids)
    await store.deleteReferences(trx, scope, owner.type, [owner.id], file_ids)
    return store.deleteUnreferenced(trx, scope, file_ids)
  }

  /** Removes files whoever refers to them: their owners go too. Hand the result to `deleteBytes` after the commit. */
  remove(trx: Trx, scope: Scope, file_ids: readonly string[]): Promise<store.OrphanedFile[]> {
    return store.deleteFiles(trx, scope, file_ids)
  }

  /** Removes those of the files that nobody refers to; as `remove`. */
  removeUnreferenced(trx: Trx, scope: Scope, file_ids: readonly string[]): Promise<store.OrphanedFile[]> {
    return store.deleteUnreferenced(trx, scope, file_ids)
  }

  /**
   * Gives another namespace files under new ids (old id to new) that share the stored bytes. Returns
   * the old ids of those that were there; the others are gone. They belong to nobody yet.
   */
  async shareWith(
    trx: Trx,
    from: Pick<Scope, 'namespaceId'>,
    to: Pick<Scope, 'namespaceId'>,
    new_ids: ReadonlyMap<string, string>,
  ): Promise<Set<string>> {
    const wanted = [...new_ids]
    const ids = wanted.map(([, new_id]) => new_id)
    const known = await store.existingFiles(trx, to.namespaceId, ids)
    const missing = new Map(wanted.filter(([, new_id]) => !known.has(new_id)))
    await store.copyFiles(trx, from, to, missing)
    const copied = await store.existingFiles(trx, to.namespaceId, [...missing.values()])
    return new Set(wanted.flatMap(([old, id]) => (known.has(id) || copied.has(id) ? [old] : [])))
  }

  /** Lets other owners keep files alive that are known to exist. */
  addReferences(trx: Trx, scope: Scope, references: readonly store.Reference[]): Promise<void> {
    return store.insertReferences(trx, scope, references)
  }

  /** Deletes bytes whose rows are gone. What cannot be deleted now is left to `sweepOrphans`. */
  async deleteBytes(orphans: readonly store.OrphanedFile[]): Promise<void> {
    for (const { storage_key } of orphans) {
      try {
        await this.#blobs.delete(storage_key)
      } catch (err) {
        this.#log?.warn({ err, storage_key }, 'Bytes of a removed file could not be deleted yet.')
      }
    }
  }

  /** Drops staged bytes that got no row: all of them after a failure, the surplus ones after sharing. */
  async discard(staged: readonly StagedFile[], kept_file_ids: readonly string[] = []): Promise<void> {
    const dropped = staged.filter(
      ({ storage_key, file_id }) => storage_key !== null && !kept_file_ids.includes(file_id),
    )
    for (const file of dropped) {
      const owner = parseFileKey(file.storage_key!)!
      // A commit whose answer was lost may have happened after all; then the bytes must stay.
      const rows = await store.existingFiles(this.#db, owner.namespace_id, [file.file_id])
      if (rows.size === 0) await this.deleteBytes([{ storage_key: file.storage_key! }])
    }
  }

  /** What is known about a file. Throws `file_not_found`. */
  async info(scope: Scope, file_id: string): Promise<FileInfo> {
    const { storage_key: _, ...info } = await this.#row(scope, file_id)
    return info
  }

  /** The bytes of a file, or a part of them. Throws `file_not_found`. */
  async read(scope: Scope, file_id: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>> {
    const { storage_key } = await this.#row(scope, file_id)
    if (storage_key !== null) return this.#blobs.read(storage_key, range)
    const content = await store.findContent(this.#db, scope, file_id)
    if (!content) throw notFound(file_id)
    return once(range ? content.subarray(range.start, range.end + 1) : content)
  }

  /** The whole file in memory. Throws `file_not_found`, and `payload_too_large` past the limit. */
  async bytes(scope: Scope, file_id: string, limit_bytes: number): Promise<Uint8Array> {
    const { size_bytes } = await this.#row(scope, file_id)
    if (size_bytes > limit_bytes) throw new KuraError('payload_too_large', { limit_bytes })
    return collect(await this.read(scope, file_id))
  }

  /** An address that gives the file to whoever has it, without an API key, until it expires. */
  signedUrl(
    scope: Scope,
    file_id: string,
    { expires_in_seconds, base_url, method = 'GET' }: SignedUrlOptions,
  ): string {
    const expires = Math.floor(Date.now() / 1000) + expires_in_seconds
    const signature = sign(this.#signing_key, { method, scope, file_id, expires })
    return `${base_url}/v1/files/${scope.namespaceId}/${file_id}?expires=${expires}&signature=${signature}`
  }

  /** An address that takes the bytes of an upload, without an API key, until it expires. */
  signedUploadUrl(access: SignedUpload, base_url: string): string {
    const { scope, upload_id, content_type, expires } = access
    const query = new URLSearchParams({
      expires: String(expires),
      content_type,
      signature: sign(this.#signing_key, access),
    })
    return `${base_url}/v1/files/${scope.namespaceId}/uploads/${upload_id}?${query}`
  }

  /** Whether a signature allows this access now. */
  verify(access: SignedAccess | SignedUpload, signature: string): boolean {
    return isSigned(this.#signing_key, access, signature)
  }

  /**
   * Deletes stored bytes that have had no row for longer than `older_than_ms` (a crash between
   * writing and committing). The age MUST exceed the longest request that may still commit.
   */
  async sweepOrphans({ older_than_ms }: { older_than_ms: number }): Promise<SweepResult> {
    const result: SweepResult = { files_checked: 0, files_deleted: 0, bytes_deleted: 0 }
    const newest_ms = Date.now() - older_than_ms
    for await (const { key, size_bytes, modified_at_ms } of this.#blobs.list(FILE_KEY_PREFIX)) {
      result.files_checked++
      if (modified_at_ms > newest_ms) continue
      // Not the row that the key is named after: that one may be gone while a clone still has the bytes.
      if ((await store.storedKeys(this.#db, [key])).size > 0) continue
      await this.#blobs.delete(key)
      result.files_deleted++
      result.bytes_deleted += size_bytes
    }
    return result
  }

  async #row(scope: Scope, file_id: string): Promise<FileInfo & { storage_key: string | null }> {
    const row = await store.findFile(this.#db, scope, file_id)
    if (!row) throw notFound(file_id)
    return row
  }
}

export type SignedUrlOptions = {
  expires_in_seconds: number
  /** Scheme, host and port that clients use, without a slash at the end. */
  base_url: string
  method?: SignedAccess['method']
}

export type SweepResult = { files_checked: number; files_deleted: number; bytes_deleted: number }

const notFound = (id: string) => new KuraError('file_not_found', { resource: 'file', id })

async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk
}
