import { KuraError } from '../../core/errors.ts'

const MIB = 1024 * 1024

/** S3 takes parts from 5 MiB; each write in flight holds up to three in memory. */
const PART_BYTES = 8 * MIB
const PART_BYTES_MAX = 64 * MIB
/** S3 takes no more parts of one object. */
const PARTS_MAX = 10_000
/** What a buffer begins with: most blobs are far smaller than a part. */
const FIRST_BYTES = MIB

/** Buffers of sent parts, to be filled again: left to the collector they would pile up for a while. */
const free: Buffer[] = []
const FREE_MAX = 4

/** For a part that has arrived: its memory is used again, so nobody may look at it any more. */
export function reusePart(part: Buffer): void {
  const whole = Buffer.from(part.buffer)
  if (whole.byteLength === PART_BYTES && free.length < FREE_MAX) free.push(whole)
}

/** The size of the parts of a write of up to `limit_bytes`: all equal, as some stores demand. */
export function partBytes(limit_bytes: number): number {
  const needed = Math.ceil(limit_bytes / PARTS_MAX / MIB) * MIB
  return Math.min(Math.max(PART_BYTES, needed), PART_BYTES_MAX)
}

/** The smaller of the limit and what fits in the parts of one object. */
export const effectiveLimit = (limit_bytes: number, part_bytes: number) =>
  Math.min(limit_bytes, part_bytes * PARTS_MAX)

/**
 * The stream in pieces of exactly `part_bytes`, only the last one smaller. When the source breaks off,
 * what has arrived comes first and then its error.
 */
export async function* cutParts(
  source: AsyncIterable<Uint8Array>,
  part_bytes: number,
): AsyncGenerator<Buffer> {
  let part = new Part(part_bytes)
  let failure: { error: unknown } | undefined
  const iterator = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      let next: IteratorResult<Uint8Array>
      try {
        next = await iterator.next()
      } catch (error) {
        failure = { error }
        break
      }
      if (next.done) break
      for (let rest = next.value; rest.byteLength > 0; ) {
        rest = part.fill(rest)
        if (!part.isFull) continue
        yield part.bytes
        part = new Part(part_bytes)
      }
    }
    if (part.bytes.byteLength > 0) yield part.bytes
    if (failure) throw failure.error
  } finally {
    await iterator.return?.()
  }
}

/** Copies what it is given: sources may use their buffers again. */
class Part {
  readonly #size: number
  #buffer: Buffer
  #filled = 0

  constructor(size: number) {
    this.#size = size
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(FIRST_BYTES, size))
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#filled)
  }

  get isFull(): boolean {
    return this.#filled === this.#size
  }

  /** Takes what fits and returns the rest. */
  fill(chunk: Uint8Array): Uint8Array {
    const taken = Math.min(chunk.byteLength, this.#size - this.#filled)
    if (this.#filled + taken > this.#buffer.byteLength) {
      const reused = this.#size === PART_BYTES ? free.pop() : undefined
      const whole = reused ?? Buffer.allocUnsafeSlow(this.#size)
      this.#buffer.copy(whole, 0, 0, this.#filled)
      this.#buffer = whole
    }
    this.#buffer.set(chunk.subarray(0, taken), this.#filled)
    this.#filled += taken
    return chunk.subarray(taken)
  }
}

/** The source until it is aborted or would pass the limit; `offset` bytes came before it. */
export async function* bounded(
  source: AsyncIterable<Uint8Array>,
  {
    offset = 0,
    limit_bytes,
    signal,
  }: { offset?: number; limit_bytes: number; signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  let position = offset
  for await (const chunk of source) {
    signal?.throwIfAborted()
    position += chunk.byteLength
    if (position > limit_bytes) throw new KuraError('payload_too_large', { limit_bytes })
    yield chunk
  }
}
