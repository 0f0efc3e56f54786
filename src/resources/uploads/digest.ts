import { createHash, type Hash } from 'node:crypto'
import { SNIFF_BYTES } from '../../platform/media/mime.ts'

/** Passes bytes on while it computes their MD5, which is what clients expect as an ETag. */
export class Md5Tap {
  readonly #hash: Hash = createHash('md5')

  async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#hash.update(chunk)
      yield chunk
    }
  }

  /** Hexadecimal; once, after all bytes have passed. */
  digest(): string {
    return this.#hash.digest('hex')
  }
}

export type Digest = { sha256: string; size_bytes: number; head: Uint8Array }

/** Reads a stream once and keeps of it only its hash, its length and its beginning. */
export async function digestOf(source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256')
  const head: Uint8Array[] = []
  let size_bytes = 0
  for await (const chunk of source) {
    signal?.throwIfAborted()
    if (size_bytes < SNIFF_BYTES) head.push(Uint8Array.from(chunk.subarray(0, SNIFF_BYTES - size_bytes)))
    hash.update(chunk)
    size_bytes += chunk.byteLength
  }
  return { sha256: hash.digest('hex'), size_bytes, head: Buffer.concat(head) }
}
