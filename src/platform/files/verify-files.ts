import { createHash } from 'node:crypto'
import { KuraError } from '../../core/errors.ts'
import { eachConcurrently } from '../../lib/concurrency.ts'
import { BlobMissingError, type BlobStore } from '../blobs/blobs.ts'
import type { Db } from '../db/db.ts'
import type { FileProblem } from './copy-files.ts'
import { type StoredBytes, storedBytes } from './stored-bytes.ts'

export type VerifyOptions = {
  db: Db
  blobs: BlobStore
  concurrency: number
  /** Compares sizes only, without reading. */
  sizes_only: boolean
  signal?: AbortSignal
  onDone?(size_bytes: number): void
}

export type VerifyResult = { checked: number; checked_bytes: number; problems: FileProblem[] }

/** Compares the bytes in a store with their rows: that they are there, their size, their SHA-256. */
export async function verifyFiles(options: VerifyOptions): Promise<VerifyResult> {
  const { db, concurrency, signal, onDone } = options
  const result: VerifyResult = { checked: 0, checked_bytes: 0, problems: [] }
  for await (const page of storedBytes(db))
    await eachConcurrently(page, { limit: concurrency, signal }, async (item, stop) => {
      const reason = await problemWith({ ...options, signal: stop }, item)
      if (reason !== null) result.problems.push({ storage_key: item.storage_key, reason })
      result.checked++
      result.checked_bytes += item.size_bytes
      onDone?.(item.size_bytes)
    })
  return result
}

async function problemWith(
  { blobs, sizes_only, signal }: VerifyOptions,
  { storage_key, size_bytes, sha256 }: StoredBytes,
): Promise<string | null> {
  const found_bytes = await blobs.size(storage_key)
  if (found_bytes === null) return 'missing'
  if (found_bytes !== size_bytes) return `damaged: ${found_bytes} bytes instead of ${size_bytes}`
  if (sizes_only) return null
  const hash = createHash('sha256')
  try {
    for await (const chunk of await blobs.read(storage_key)) {
      signal?.throwIfAborted()
      hash.update(chunk)
    }
  } catch (error) {
    if (error instanceof BlobMissingError) return 'missing'
    if (error instanceof KuraError && error.code === 'file_archived') return 'archived: cannot be read now'
    throw error
  }
  return hash.digest('hex') === sha256 ? null : 'damaged: its SHA-256 is not that of its row'
}
