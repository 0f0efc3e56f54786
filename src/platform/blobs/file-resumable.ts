import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KuraError } from '../../core/errors.ts'
import { checkOffset, type ResumableWrites } from './blobs.ts'
import { statIfThere, syncFolders } from './folders.ts'

/** Ending of the file that a write grows in; leftovers are listed and swept like other temporary files. */
const PARTIAL = '.partial.tmp'

/** Writes in pieces, as a file beside its place that is renamed when it is whole. */
export class FileResumableWrites implements ResumableWrites {
  readonly #pathOf: (key: string) => string

  constructor(pathOf: (key: string) => string) {
    this.#pathOf = pathOf
  }

  async begin(key: string): Promise<void> {
    const path = this.#partial(key)
    const folder = dirname(path)
    const first_new = await mkdir(folder, { recursive: true })
    await (await open(path, 'a')).close()
    await syncFolders(folder, first_new)
  }

  async offset(key: string): Promise<number | null> {
    return (await statIfThere(this.#partial(key)))?.size ?? null
  }

  async append(
    key: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    { limit_bytes, signal }: { limit_bytes: number; signal?: AbortSignal },
  ): Promise<number> {
    const file = await open(this.#partial(key), 'r+')
    try {
      checkOffset(key, offset, (await file.stat()).size)
      return await appendAll(file, offset, source, limit_bytes, signal)
    } finally {
      // What has arrived is kept and counted, so it must be durable, also when the source broke off.
      await file.datasync()
      await file.close()
    }
  }

  async finish(key: string): Promise<{ size_bytes: number }> {
    const path = this.#pathOf(key)
    const partial = await statIfThere(this.#partial(key))
    if (partial) {
      // Again: its writer may have been killed between its last write and the sync.
      await syncFile(this.#partial(key))
      await rename(this.#partial(key), path)
      await syncFolders(dirname(path), undefined)
      return { size_bytes: partial.size }
    }
    const whole = await statIfThere(path)
    if (!whole) throw new Error(`No write has begun under ${key}.`)
    return { size_bytes: whole.size }
  }

  async abort(key: string): Promise<void> {
    await rm(this.#partial(key), { force: true })
  }

  #partial(key: string): string {
    return `${this.#pathOf(key)}${PARTIAL}`
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function appendAll(
  file: FileHandle,
  offset: number,
  source: AsyncIterable<Uint8Array>,
  limit_bytes: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const writes = new GatheredWrites(file, offset)
  let end = offset
  try {
    for await (const chunk of source) {
      signal?.throwIfAborted()
      if (end + chunk.byteLength > limit_bytes) throw new KuraError('payload_too_large', { limit_bytes })
      await writes.add(chunk)
      end += chunk.byteLength
    }
  } finally {
    await writes.flush()
  }
  return end
}

/** Network chunks are small: written one by one they cost more than their bytes. */
const GATHERED_BYTES = 1024 * 1024

/** Gathers bytes while the last gathered ones are being written; two buffers, whatever the size of the file. */
class GatheredWrites {
  readonly #file: FileHandle
  #position: number
  #filling = Buffer.allocUnsafe(GATHERED_BYTES)
  #spare = Buffer.allocUnsafe(GATHERED_BYTES)
  #used = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(file: FileHandle, position: number) {
    this.#file = file
    this.#position = position
  }

  async add(chunk: Uint8Array): Promise<void> {
    for (let taken = 0; taken < chunk.byteLength; ) {
      const part = chunk.subarray(taken, taken + GATHERED_BYTES - this.#used)
      this.#filling.set(part, this.#used)
      this.#used += part.byteLength
      taken += part.byteLength
      if (this.#used === GATHERED_BYTES) await this.#send()
    }
  }

  /** Everything that was added has been handed to the system. */
  async flush(): Promise<void> {
    await this.#send()
    await this.#writing
  }

  async #send(): Promise<void> {
    await this.#writing
    const bytes = this.#filling.subarray(0, this.#used)
    const position = this.#position
    ;[this.#filling, this.#spare] = [this.#spare, this.#filling]
    this.#used = 0
    this.#position += bytes.byteLength
    this.#writing = writeAt(this.#file, bytes, position)
    // A failure is thrown where it is awaited; until then it must not end the process.
    this.#writing.catch(() => undefined)
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength; ) {
    const left = bytes.byteLength - written
    const { bytesWritten } = await file.write(bytes, written, left, position + written)
    written += bytesWritten
  }
}
