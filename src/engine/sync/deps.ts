import type { BucketSchema } from '../../core/bucket-schema.ts'
import type { KuraError } from '../../core/errors.ts'
import type { JsonObject, JsonValue } from '../../core/json.ts'
import type { OrganizationScope, Scope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import type { Db, Trx } from '../../platform/db/db.ts'
import type { Files, StagedFile } from '../../platform/files/files.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import type { SourceContext } from '../../platform/sources/source-provider.ts'

/** What a run needs to know of its bucket. */
export type SyncBucket = {
  bucket_id: string
  schema: BucketSchema | null
  storage_class: string | null
}

/** An object that passed every check it can pass without the database. */
export type PreparedObject = object

export type WriteOutcome =
  | { object: { object_id: string; size_bytes: number }; how: 'created' | 'updated' | 'unchanged' }
  | { error: KuraError }

/** What may be done to objects in one transaction. */
export type SyncWriter = {
  readonly trx: Trx
  create(objects: readonly PreparedObject[]): Promise<WriteOutcome[]>
  /** Null when the object is gone. */
  update(object_id: string, prepared: PreparedObject): Promise<WriteOutcome | null>
  remove(object_id: string): Promise<boolean>
}

/** The one way in which objects are made and changed; given by the composition root. */
export type SyncObjects = {
  /** Throws `bucket_not_found`, and what tells that it takes no writes now. */
  bucket(scope: Scope, bucket_id: string): Promise<SyncBucket>
  prepare(
    scope: Scope,
    bucket: SyncBucket,
    object: {
      fields: JsonObject
      blobs: readonly { property: string; data: JsonValue }[]
      file: { staged: StagedFile; property: string | null } | null
      skip_duplicates: boolean
    },
    signal: AbortSignal,
  ): Promise<PreparedObject>
  write<T>(scope: Scope, bucket: SyncBucket, work: (writer: SyncWriter) => Promise<T>): Promise<T>
  /** Drops what the object staged and no row came to name. */
  discard(prepared: PreparedObject): Promise<void>
}

/** Writes of other resources that a run causes. */
export type SyncEffects = {
  insertTask(
    trx: Trx,
    scope: OrganizationScope,
    task: {
      task_type: 'api_buckets_objects_create'
      namespace_id: string
      inputs: unknown[]
      additional_data: Record<string, unknown>
    },
  ): Promise<string>
  updateTask(
    trx: Trx,
    scope: OrganizationScope,
    task_id: string,
    change: {
      status?: TaskStatus
      error?: string | null
      outputs?: unknown[]
      additional_data?: Record<string, unknown>
      processed?: number
      total?: number
    },
  ): Promise<boolean>
  recordConnectionUse(
    trx: Trx,
    scope: OrganizationScope,
    connection_id: string,
    error: string | null,
  ): Promise<unknown>
  /** Creates and submits a batch; null when no collection reads the bucket. */
  submitBatch(
    trx: Trx,
    scope: Scope,
    bucket_id: string,
    object_ids: string[],
  ): Promise<{ batch_id: string; task_id: string } | null>
}

export type SyncLimits = {
  /** Fetches at the same time. */
  fetches_max: number
  /** Largest file that is fetched. */
  file_bytes_max: number
  /** Entries of one listing; more is a listing that does not end. */
  listed_max: number
  /** Wait before a file or a listing is tried again; doubles with every try. */
  retry_delay_ms: number
}

export const DEFAULT_SYNC_LIMITS: SyncLimits = {
  fetches_max: 8,
  file_bytes_max: 5 * 1024 ** 3,
  listed_max: 10_000_000,
  retry_delay_ms: 1000,
}

export type SyncDeps = {
  db: Db
  queue: JobQueue
  files: Files
  secrets: SecretBox
  sources: SourceContext
  objects: SyncObjects
  effects: SyncEffects
  limits: SyncLimits
}
