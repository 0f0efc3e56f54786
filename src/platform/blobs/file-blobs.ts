import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, type Dirent } from 'node:fs'
import { access, constants, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { KuraError } from '../../core/errors.ts'
import { checkBlobKey } from './blob-keys.ts'
import {
  type BlobListing,
  BlobMissingError,
  type BlobStore,
  checkHash,
  type PutOptions,
  type StoredBlob,
} from './blobs.ts'
import { FileResumableWrites } from './file-resumable.ts'
import { statIfThere, syncFolders } from './folders.ts'

/** Ending of files that are still being written; a crash leaves them to be listed and swept. */
const TEMPORARY = '.tmp'

/** Blobs as files under one folder: written beside their place, synced, then renamed into it. */
export class FileBlobStore implements BlobStore {
  readonly #root: string
  readonly resumable: FileResumableWrites

  constructor(root: string) {
    this.#root = resolve(root)
    this.resumable = new FileResumableWrites((key) => this.#path(key))
  }

  async put(
    key: string,
    source: AsyncIterable<Uint8Array>,
    { limit_bytes, signal, sha256 }: PutOptions,
  ): Promise<StoredBlob> {
    const path = this.#path(key)
    const folder = dirname(path)
    const first_new = await mkdir(folder, { recursive: true })
    const temporary = `${path}.${randomUUID()}${TEMPORARY}`
    try {
      const stored = await writeAll(temporary, source, limit_bytes, signal)
      checkHash(key, stored.sha256, sha256)
      await rename(temporary, path)
      await syncFolders(folder, first_new)
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
    return (await statIfThere(this.#path(key)))?.size ?? null
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true })
  }

  async *list(prefix: string): AsyncIterable<BlobListing> {
    // Only the folders that can hold the prefix are walked, one at a time: a store may hold millions.
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    yield* this.#walk(folder, prefix)
  }

  async *#walk(folder: string, prefix: string): AsyncIterable<BlobListing> {
    for (const entry of await entriesOf(join(this.#root, folder))) {
      const key = folder + entry.name
      if (entry.isDirectory()) {
        if (key.startsWith(prefix) || prefix.startsWith(`${key}/`)) yield* this.#walk(`${key}/`, prefix)
      } else if (key.startsWith(prefix)) {
        const found = await statIfThere(join(this.#root, key))
        if (found) yield { key, size_bytes: found.size, modified_at_ms: found.mtimeMs }
      }
    }
  }

  async check(): Promise<void> {
    await mkdir(this.#root, { recursive: true })
    await access(this.#root, constants.R_OK | constants.W_OK)
  }

  #path(key: string): string {
    return join(this.#root, checkBlobKey(key))
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
      await file.writeFile(chunk)
    }
    // What a client is told must survive a power cut.
    await file.datasync()
  } finally {
    await file.close()
  }
  return { size_bytes, sha256: hash.digest('hex') }
}

/** In the order of the keys below them: `a.b` comes before what lies in `a/`. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  const sortKey = (entry: Dirent) => (entry.isDirectory() ? `${entry.name}/` : entry.name)
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
