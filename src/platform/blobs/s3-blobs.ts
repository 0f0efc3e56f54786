import { createHash } from 'node:crypto'
import { checkBlobKey } from './blob-keys.ts'
import {
  type BlobListing,
  BlobMissingError,
  type BlobPresigner,
  type BlobStore,
  checkHash,
  type PutOptions,
  type StoredBlob,
} from './blobs.ts'
import { type S3Body, S3Bucket, type S3Part } from './s3-bucket.ts'
import { bounded, cutParts, effectiveLimit, partBytes, reusePart } from './s3-parts.ts'
import { S3Presigner } from './s3-presign.ts'
import { PARTIAL, S3ResumableWrites } from './s3-resumable.ts'
import type { S3Settings } from './s3-settings.ts'

/** Parts of one write on their way at a time, while the next one fills. */
const PARTS_IN_FLIGHT = 2
/** How often one read goes on after its connection broke. */
const READ_RETRIES_MAX = 3

/** Ending of the keys under which unfinished uploads without a partial object are listed. */
const LEFTOVER = /^(.+)\.([A-Za-z0-9_-]+)\.multipart\.tmp$/
const leftoverKey = (key: string, upload_id: string) =>
  `${key}.${Buffer.from(upload_id).toString('base64url')}.multipart.tmp`

/** Blobs as objects of one bucket. Larger ones go in as multipart uploads, which S3 shows when complete. */
export class S3BlobStore implements BlobStore {
  readonly #bucket: S3Bucket
  readonly resumable: S3ResumableWrites
  readonly presign?: BlobPresigner

  constructor(settings: S3Settings) {
    this.#bucket = new S3Bucket(settings)
    this.resumable = new S3ResumableWrites(this.#bucket)
    if (settings.presign) this.presign = new S3Presigner(settings)
  }

  async put(key: string, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredBlob> {
    checkBlobKey(key)
    const { limit_bytes, storage_class, signal, sha256 } = options
    const part_bytes = partBytes(limit_bytes)
    const hash = createHash('sha256')
    let size_bytes = 0
    async function* hashed() {
      for await (const chunk of bounded(source, {
        limit_bytes: effectiveLimit(limit_bytes, part_bytes),
        signal,
      })) {
        hash.update(chunk)
        size_bytes += chunk.byteLength
        yield chunk
      }
    }
    /** Called when the source has ended, before anything becomes visible. */
    const end = (): StoredBlob => {
      const stored = { size_bytes, sha256: hash.digest('hex') }
      checkHash(key, stored.sha256, sha256)
      return stored
    }
    const pieces = cutParts(hashed(), part_bytes)
    try {
      const first = (await pieces.next()).value ?? Buffer.alloc(0)
      if (first.byteLength === part_bytes) {
        const upload_id = await this.#bucket.createUpload(key, { storage_class, signal })
        return await this.#putParts(key, upload_id, joined(first, pieces), end, signal)
      }
      await pieces.next() // The end, or the error that cut the source short.
      const stored = end()
      await this.#bucket.put(key, first, { storage_class, signal })
      return stored
    } finally {
      // A write that fails must also stop its source: a download, a request body.
      await pieces.return(undefined)
    }
  }

  async #putParts(
    key: string,
    upload_id: string,
    pieces: AsyncIterable<Buffer>,
    end: () => StoredBlob,
    signal: AbortSignal | undefined,
  ): Promise<StoredBlob> {
    const failed = new AbortController()
    const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
    const parts: Promise<S3Part>[] = []
    try {
      for await (const piece of pieces) {
        const part = this.#bucket
          .uploadPart(key, upload_id, parts.length + 1, piece, stop)
          .then((arrived) => {
            reusePart(piece)
            return arrived
          })
        // A failure is thrown where it is awaited; until then it must not end the process.
        part.catch(() => undefined)
        parts.push(part)
        if (parts.length >= PARTS_IN_FLIGHT) await parts[parts.length - PARTS_IN_FLIGHT]
      }
      const arrived = await Promise.all(parts)
      const stored = end()
      await this.#bucket.completeUpload(key, upload_id, arrived)
      return stored
    } catch (error) {
      failed.abort()
      await Promise.allSettled(parts)
      // Should this fail too, the upload is listed as a leftover and swept.
      await this.#bucket.abortUpload(key, upload_id).catch(() => undefined)
      throw error
    }
  }

  async read(key: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array>> {
    const first = await this.#bucket.get(checkBlobKey(key), range)
    if (!first) throw new BlobMissingError(key)
    return this.#readOn(key, first, range)
  }

  /** Goes on where the connection broke, as long as the object is still the same. */
  async *#readOn(
    key: string,
    first: S3Body,
    { start = 0, end }: { start?: number; end?: number } = {},
  ): AsyncGenerator<Uint8Array> {
    let position = start
    let current = first
    for (let retries = 0; ; retries++) {
      try {
        for await (const chunk of current.body) {
          position += chunk.byteLength
          yield chunk
        }
        return
      } catch (error) {
        if (retries >= READ_RETRIES_MAX) throw this.#bucket.explain(error)
      }
      const next = await this.#bucket.get(
        key,
        { start: position, ...(end !== undefined && { end }) },
        current.etag,
      )
      if (!next) throw new BlobMissingError(key)
      current = next
    }
  }

  async size(key: string): Promise<number | null> {
    return (await this.#bucket.head(checkBlobKey(key)))?.size_bytes ?? null
  }

  async delete(key: string): Promise<void> {
    checkBlobKey(key)
    const [, uploaded, upload_id] = LEFTOVER.exec(key) ?? []
    if (uploaded && upload_id)
      await this.#bucket.abortUpload(uploaded, Buffer.from(upload_id, 'base64url').toString())
    else if (key.endsWith(PARTIAL)) await this.resumable.abort(key.slice(0, -PARTIAL.length))
    else await this.#bucket.delete(key)
  }

  async *list(prefix: string): AsyncGenerator<BlobListing> {
    const leftovers = await this.#leftovers(prefix)
    let next = 0
    for await (const found of this.#bucket.list(prefix)) {
      while (next < leftovers.length && leftovers[next]!.key < found.key) yield leftovers[next++]!
      yield found
    }
    yield* leftovers.slice(next)
  }

  /** Unfinished uploads; those of resumable writes are listed as their partial objects instead. */
  async #leftovers(prefix: string): Promise<BlobListing[]> {
    const found: BlobListing[] = []
    for await (const { key, upload_id, modified_at_ms } of this.#bucket.listUploads(prefix)) {
      const partial = await this.#bucket.head(key + PARTIAL)
      if (partial?.metadata['upload-id'] === upload_id) continue
      const parts = (await this.#bucket.listParts(key, upload_id)) ?? []
      found.push({
        key: leftoverKey(key, upload_id),
        size_bytes: parts.reduce((sum, { size_bytes }) => sum + size_bytes, 0),
        modified_at_ms: Math.max(modified_at_ms, ...parts.map((part) => part.modified_at_ms)),
      })
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  check(): Promise<void> {
    return this.#bucket.check()
  }
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first
  yield* rest
}
