import type { OrganizationScope, Scope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import type { Registry } from '../../extractors/registry.ts'
import type { Db, Trx } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { Models } from '../../platform/models/models.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'

/**
 * Bytes behind a URL, fetched by the guarded client, or behind `s3://` and `gs://` addresses that a
 * connection covers. Throws `url_not_allowed`, or RowError where the address cannot be used.
 */
export type FetchUrl = (
  scope: Scope,
  url: string,
  options: { limit_bytes: number; signal: AbortSignal },
) => Promise<{ bytes: Uint8Array; mime_type: string; filename: string | null }>

/** Writes of other resources that ingestion causes; each runs in the transaction that causes it. */
export type Effects = {
  insertTask(
    trx: Trx,
    scope: OrganizationScope,
    task: {
      task_type: 'engine_feature_extractor_run'
      task_id: string
      namespace_id: string
      inputs: unknown[]
      additional_data: Record<string, unknown>
      total: number | null
    },
  ): Promise<string>
  updateTask(
    trx: Trx,
    scope: OrganizationScope,
    task_id: string,
    change: { status?: TaskStatus; error?: string | null; additional_data?: Record<string, unknown> },
  ): Promise<boolean>
  advanceTasks(
    trx: Trx,
    scope: OrganizationScope,
    task_ids: readonly string[],
    by: { processed?: number; total?: number },
  ): Promise<void>
  changeBatchStats(
    trx: Trx,
    scope: Scope,
    bucket_id: string,
    change: { from: string | null; to: string | null },
  ): Promise<void>
}

/** Bounds on what one row may cost. */
export type IngestLimits = {
  /** One run of the extractor on one row. */
  row_timeout_ms: number
  /** First wait before a transient failure is tried again; it doubles each time. */
  retry_delay_ms: number
  /** Largest input file. */
  input_bytes_max: number
}

export const DEFAULT_LIMITS: IngestLimits = {
  row_timeout_ms: 10 * 60_000,
  retry_delay_ms: 1000,
  input_bytes_max: 512 * 1024 * 1024,
}

export type Log = {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Parameters with the secrets that they refer to (platform/secrets/vault.ts). Throws `secret_not_found`. */
export type FillSecrets = <T>(scope: Pick<Scope, 'organizationId'>, parameters: T) => Promise<T>

export type IngestDeps = {
  db: Db
  queue: JobQueue
  files: Files
  models: Models
  extractors: Registry
  fetchUrl: FetchUrl
  fillSecrets: FillSecrets
  effects: Effects
  limits: IngestLimits
  log: Log
}
