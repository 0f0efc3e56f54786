import { KuraError } from '../../core/errors.ts'
import { eachConcurrently } from '../../lib/concurrency.ts'
import { type BlobListing, BlobMismatchError, BlobMissingError, type BlobStore } from '../blobs/blobs.ts'
import type { Db } from '../db/db.ts'
import { storedKeys } from './store.ts'
import { storedBytes } from './stored-bytes.ts'

/** Ending of what unfinished writes leave behind: it means something in its own store only. */
const UNFINISHED = '.tmp'
const LISTED_ROWS = 500

export type FileProblem = { storage_key: string; reason: string }

export type CopyResult = {
  copied: number
  copied_bytes: number
  /** Were there already, with the right size. */
  skipped: number
  /** Unfinished uploads, which cannot move. */
  unfinished: number
  problems: FileProblem[]
}

export type CopyOptions = {
  db: Db
  from: BlobStore
  to: BlobStore
  concurrency: number
  /** Only tells what would be copied. */
  dry_run: boolean
  signal?: AbortSignal
  /** Called with the size of each file that is done, whether copied or there already. */
  onDone?(size_bytes: number): void
}

type Item = { storage_key: string; size_bytes: number; sha256?: string; storage_class: string | null }

/**
 * Copies the bytes of all files to another store, and what else lies there, such as uploads that wait
 * for their confirmation. Files that are there already are skipped, so it can be stopped and run again. Bytes
 * appear in the target only when their SHA-256 is that of their row; hence equal size proves them.
 * A store that fails ends the copy (`storage_unavailable`); a file that is missing or damaged is a
 * problem of that file.
 */
export async function copyFiles(options: CopyOptions): Promise<CopyResult> {
  const result: CopyResult = { copied: 0, copied_bytes: 0, skipped: 0, unfinished: 0, problems: [] }
  for await (const page of storedBytes(options.db)) await copyAll(options, page, result)
  for await (const page of otherBytes(options, result)) await copyAll(options, page, result)
  return result
}

async function copyAll(options: CopyOptions, items: readonly Item[], result: CopyResult): Promise<void> {
  const { concurrency: limit, signal } = options
  await eachConcurrently(items, { limit, signal }, (item, stop) =>
    copyOne({ ...options, signal: stop }, item, result),
  )
}

async function copyOne({ from, to, dry_run, signal, onDone }: CopyOptions, item: Item, result: CopyResult) {
  const { storage_key, size_bytes, sha256, storage_class } = item
  // Without a hash nothing tells that they are the same: clients may send other bytes of equal size.
  if (sha256 !== undefined && (await to.size(storage_key)) === size_bytes) result.skipped++
  else {
    try {
      if (!dry_run)
        await to.put(storage_key, await from.read(storage_key), {
          // A file that has grown is as damaged as one that has shrunk.
          limit_bytes: size_bytes,
          storage_class,
          ...(sha256 !== undefined && { sha256 }),
          ...(signal && { signal }),
        })
      result.copied++
      result.copied_bytes += size_bytes
    } catch (error) {
      result.problems.push({ storage_key, reason: problemOf(error) })
    }
  }
  onDone?.(size_bytes)
}

/** What is wrong with one file; other errors concern the store as a whole and are thrown. */
function problemOf(error: unknown): string {
  if (error instanceof BlobMissingError) return 'missing'
  if (error instanceof BlobMismatchError) return 'damaged: its SHA-256 is not that of its row'
  if (error instanceof KuraError && error.code === 'payload_too_large')
    return 'damaged: longer than its row says'
  if (error instanceof KuraError && error.code === 'file_archived') return error.message
  throw error
}

/** Keys without a row: most are uploads that are not confirmed yet. */
async function* otherBytes({ db, from }: CopyOptions, result: CopyResult): AsyncGenerator<Item[]> {
  let page: BlobListing[] = []
  const unnamed = async (): Promise<Item[]> => {
    const named = await storedKeys(
      db,
      page.map(({ key }) => key),
    )
    const others = page.filter(({ key }) => !named.has(key))
    page = []
    return others.map(({ key, size_bytes }) => ({ storage_key: key, size_bytes, storage_class: null }))
  }
  for await (const one of from.list('')) {
    if (one.key.endsWith(UNFINISHED)) result.unfinished++
    else if (page.push(one) === LISTED_ROWS) yield await unnamed()
  }
  yield await unnamed()
}
