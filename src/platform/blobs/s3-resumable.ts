import { collect } from '../../lib/streams.ts'
import { checkBlobKey } from './blob-keys.ts'
import { checkOffset, type ResumableWrites } from './blobs.ts'
import type { S3Bucket, S3Part } from './s3-bucket.ts'
import { bounded, cutParts, effectiveLimit, partBytes, reusePart } from './s3-parts.ts'

/** Ending of the object that a write is known by until it is finished. */
export const PARTIAL = '.partial.tmp'

/** During a long append the object is written anew this often, so that no clean-up takes it for old. */
const REFRESH_MS = 10 * 60_000

type WriteState = {
  upload_id: string
  storage_class: string | null
  /** The full parts, without gaps. */
  parts: S3Part[]
  /** Bytes in full parts. */
  start: number
  /** Bytes after them, in the partial object. */
  tail_bytes: number
}

/**
 * Writes in pieces, as a multipart upload. Its parts have a least size, so what does not fill one lies
 * in an object beside it (`<key>.partial.tmp`), whose metadata name the upload and the offset at which
 * those bytes begin. The store alone tells how far a write is: a partial object that begins before the
 * end of the full parts was overtaken by them and counts nothing.
 */
export class S3ResumableWrites implements ResumableWrites {
  readonly #bucket: S3Bucket

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket
  }

  async begin(
    key: string,
    { storage_class = null, mime_type }: { storage_class?: string | null; mime_type?: string },
  ): Promise<void> {
    checkBlobKey(key)
    if (await this.#find(key)) return
    const upload_id = await this.#bucket.createUpload(key, { storage_class, mime_type })
    const write = { upload_id, storage_class, parts: [], start: 0, tail_bytes: 0 }
    await this.#keepTail(key, write, Buffer.alloc(0))
  }

  async offset(key: string): Promise<number | null> {
    const write = await this.#find(key)
    return write && write.start + write.tail_bytes
  }

  async append(
    key: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    { limit_bytes, signal }: { limit_bytes: number; signal?: AbortSignal },
  ): Promise<number> {
    const write = await this.#get(key)
    checkOffset(key, offset, write.start + write.tail_bytes)
    const part_bytes = write.parts[0]?.size_bytes ?? partBytes(limit_bytes)
    const limit = effectiveLimit(limit_bytes, part_bytes)
    const tail = await this.#readTail(key, write)
    const rest = bounded(source, { offset, limit_bytes: limit, signal })
    return this.#appendParts(key, write, cutParts(joined(tail, rest), part_bytes), part_bytes)
  }

  /**
   * One part travels while the next one fills, never two: parts then arrive without gaps, and what a
   * killed process leaves behind is a beginning.
   */
  async #appendParts(
    key: string,
    write: WriteState,
    pieces: AsyncIterable<Buffer>,
    part_bytes: number,
  ): Promise<number> {
    let tail: Buffer = Buffer.alloc(0)
    let kept_at_ms = performance.now()
    let travelling: Promise<void> = Promise.resolve()
    const send = async (piece: Buffer) => {
      write.parts.push(await this.#bucket.uploadPart(key, write.upload_id, write.parts.length + 1, piece))
      write.start += piece.byteLength
      reusePart(piece)
      if (performance.now() - kept_at_ms < REFRESH_MS) return
      await this.#keepTail(key, write, Buffer.alloc(0))
      kept_at_ms = performance.now()
    }
    try {
      for await (const piece of pieces) {
        await travelling
        if (piece.byteLength < part_bytes) tail = piece
        else {
          travelling = send(piece)
          // A failure is thrown where it is awaited; until then it must not end the process.
          travelling.catch(() => undefined)
        }
      }
    } finally {
      // Also when the source broke off: what has arrived is kept.
      await travelling
      await this.#keepTail(key, write, tail)
    }
    return write.start + tail.byteLength
  }

  async finish(key: string): Promise<{ size_bytes: number }> {
    const write = await this.#find(key)
    if (!write) return this.#finished(key)
    const tail = await this.#readTail(key, write)
    if (write.parts.length === 0) {
      await this.#bucket.put(key, tail, { storage_class: write.storage_class })
      await this.#bucket.abortUpload(key, write.upload_id)
    } else {
      // The tail stays until the object is there: as a part shorter than the others it counts nothing.
      const last =
        tail.byteLength > 0
          ? [await this.#bucket.uploadPart(key, write.upload_id, write.parts.length + 1, tail)]
          : []
      await this.#bucket.completeUpload(key, write.upload_id, [...write.parts, ...last])
    }
    await this.#bucket.delete(key + PARTIAL)
    return { size_bytes: write.start + tail.byteLength }
  }

  async #finished(key: string): Promise<{ size_bytes: number }> {
    const whole = await this.#bucket.head(checkBlobKey(key))
    if (!whole) throw new Error(`No write has begun under ${key}.`)
    await this.#bucket.delete(key + PARTIAL)
    return { size_bytes: whole.size_bytes }
  }

  async abort(key: string): Promise<void> {
    const partial = await this.#bucket.head(checkBlobKey(key) + PARTIAL)
    if (!partial) return
    const upload_id = partial.metadata['upload-id']
    if (upload_id) await this.#bucket.abortUpload(key, upload_id)
    await this.#bucket.delete(key + PARTIAL)
  }

  async #get(key: string): Promise<WriteState> {
    const write = await this.#find(key)
    if (!write) throw new Error(`No write has begun under ${key}.`)
    return write
  }

  async #find(key: string): Promise<WriteState | null> {
    const partial = await this.#bucket.head(checkBlobKey(key) + PARTIAL)
    const upload_id = partial?.metadata['upload-id']
    if (!partial || !upload_id) return null
    const arrived = await this.#bucket.listParts(key, upload_id)
    if (!arrived) return null
    const parts = fullParts(arrived)
    const start = parts.reduce((sum, { size_bytes }) => sum + size_bytes, 0)
    return {
      upload_id,
      storage_class: partial.metadata['storage-class'] ?? null,
      parts,
      start,
      tail_bytes: Number(partial.metadata.start) === start ? partial.size_bytes : 0,
    }
  }

  async #readTail(key: string, { tail_bytes }: WriteState): Promise<Uint8Array> {
    if (tail_bytes === 0) return Buffer.alloc(0)
    const found = await this.#bucket.get(key + PARTIAL, undefined)
    if (!found) throw new Error(`The write of ${key} was dropped meanwhile.`)
    return collect(found.body)
  }

  async #keepTail(key: string, { upload_id, storage_class, start }: WriteState, tail: Buffer): Promise<void> {
    const metadata = {
      'upload-id': upload_id,
      start: String(start),
      ...(storage_class && { 'storage-class': storage_class }),
    }
    await this.#bucket.put(key + PARTIAL, tail, { metadata })
  }
}

/** Parts from the first on, without gaps; one that is shorter is the end that a `finish` had begun to write. */
function fullParts(arrived: readonly S3Part[]): S3Part[] {
  const size = arrived[0]?.size_bytes
  const end = arrived.findIndex(({ number, size_bytes }, i) => number !== i + 1 || size_bytes !== size)
  return end < 0 ? [...arrived] : arrived.slice(0, end)
}

async function* joined(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first.byteLength > 0) yield first
  yield* rest
}
