import type { BlobStore } from '../platform/blobs/blobs.ts'
import type { Db } from '../platform/db/db.ts'
import type { Files } from '../platform/files/files.ts'
import { verifyFiles } from '../platform/files/verify-files.ts'
import type { Finding } from './finding.ts'

/** Bytes that are being uploaded have no row yet; only older ones are leftovers. */
const LEFTOVER_AGE_MS = 24 * 60 * 60 * 1000
const NAMED_MAX = 5
/** A remote store answers many questions in the time of one. */
const CHECKS_AT_ONCE = 16

/** Files whose bytes are gone or have another length. Lost bytes cannot be mended. */
export async function checkStoredFiles(db: Db, blobs: BlobStore): Promise<Finding> {
  const { checked, problems } = await verifyFiles({
    db,
    blobs,
    concurrency: CHECKS_AT_ONCE,
    sizes_only: true,
  })
  const named = problems.slice(0, NAMED_MAX).map(({ storage_key }) => storage_key)
  const detail = named.length > 0 ? `bytes missing or of another length: ${named.join(', ')}` : ''
  return { check: 'stored files', examined: checked, problems: problems.length, repaired: 0, detail }
}

/** Bytes that no row names, left by a crash between writing and committing. Harmless, so they are only removed with `repair`. */
export async function checkLeftovers(files: Files, { repair }: { repair: boolean }): Promise<Finding> {
  if (!repair)
    return { check: 'leftover files', examined: 0, problems: 0, repaired: 0, detail: 'removed with --repair' }
  const { files_checked, files_deleted, bytes_deleted } = await files.sweepOrphans({
    older_than_ms: LEFTOVER_AGE_MS,
  })
  return {
    check: 'leftover files',
    examined: files_checked,
    problems: files_deleted,
    repaired: files_deleted,
    detail: files_deleted > 0 ? `${bytes_deleted} bytes freed` : '',
  }
}
