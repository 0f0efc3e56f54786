import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { KuraError } from '../../core/errors.ts'
import { BlobMissingError, type BlobStore, type StoredBlob } from './blobs.ts'

const KEY = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/

/** Blobs as files under one folder: written beside their place, synced, then renamed into it. */
export class FileBlobStore implements BlobStore {
  readonly #root: string

  constructor(root: string) {
    this.#root = resolve(root)
  }

  async put(
    key: string,
    source: AsyncIterable<Uint8Array>,
    { limit_bytes, signal }: { limit_bytes: number; signal?: AbortSignal },
  ): Promise<StoredBlob> {
    const path = this.#path(key)
    await mkdir(dirname(path), { recursive: true })
    const temporary = `${path}.${randomUUID()}.tmp`
    try {
      const stored = await writeAll(temporary, source, limit_bytes, signal)
      await rename(temporary, path)
      await syncFolder(dirname(path))
      return stored
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  async read(key: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array>> {
    const path = this.#path(key)
    if ((await this.size(key)) === null) throw new BlobMissingError(key)
    return createReadStream(path, range)
  }

  async size(key: string): Promise<number | null> {
    try {
      return (await stat(this.#path(key))).size
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true })
  }

  async *list(prefix: string): AsyncIterable<{ key: string; size_bytes: number; modified_at_ms: number }> {
    const entries = await readdir(this.#root, { recursive: true, withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return []
        throw error
      },
    )
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name)
      const key = relative(this.#root, path).split(sep).join('/')
      if (!entry.isFile() || !key.startsWith(prefix)) continue
      const { size, mtimeMs } = await stat(path)
      yield { key, size_bytes: size, modified_at_ms: mtimeMs }
    }
  }

  /** Keys are ours, yet a wrong one must never leave the folder. */
  #path(key: string): string {
    if (!KEY.test(key) || key.split('/').includes('..'))
      throw new Error(`Not a blob key: ${JSON.stringify(key)}`)
    return join(this.#root, key)
  }
}

async function writeAll(
  path: string,
  source: AsyncIterable<Uint8Array>,
  limit_bytes: number,
  signal: AbortSignal | undefined,
): Promise<StoredBlob> {
  const hash = createHash('sha256')
  let size_bytes = 0
  const file = await open(path, 'wx')
  try {
    for await (const chunk of source) {
      signal?.throwIfAborted()
      size_bytes += chunk.byteLength
      if (size_bytes > limit_bytes) throw new KuraError('payload_too_large', { limit_bytes })
      hash.update(chunk)
      await file.write(chunk)
    }
    // What a client is told must survive a power cut.
    await file.datasync()
  } finally {
    await file.close()
  }
  return { size_bytes, sha256: hash.digest('hex') }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
