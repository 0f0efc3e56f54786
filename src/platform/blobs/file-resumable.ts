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

async function appendAll(
  file: FileHandle,
  offset: number,
  source: AsyncIterable<Uint8Array>,
  limit_bytes: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let position = offset
  for await (const chunk of source) {
    signal?.throwIfAborted()
    if (position + chunk.byteLength > limit_bytes) throw new KuraError('payload_too_large', { limit_bytes })
    for (let written = 0; written < chunk.byteLength; ) {
      const { bytesWritten } = await file.write(chunk, written, chunk.byteLength - written, position)
      written += bytesWritten
      position += bytesWritten
    }
  }
  return position
}
