import type { BlobStore } from '../../platform/blobs/blobs.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import type { ObjectCreator } from '../objects/index.ts'

export type UploadLimits = {
  upload_limit_bytes: number
  /** Uploads that are neither confirmed nor expired. */
  open_uploads_per_bucket: number
  open_uploads: number
  /** How long a resumable upload may take. */
  resumable_upload_seconds: number
}

/** What the operations of uploads share. */
export type UploadContext = {
  db: Db
  files: Files
  blobs: BlobStore
  queue: JobQueue
  objects: ObjectCreator
  limits: UploadLimits
}
