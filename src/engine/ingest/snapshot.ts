import type { CollectionConfig } from '../../core/collections/config.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'

/** What a batch runs, as it was when the batch was submitted: later changes of collections do not reach it. */
export type BatchSnapshot = {
  include_processing_history: boolean
  /** Filters of the request, on top of those of each collection of tier 0. */
  filters: JsonObject | null
  /** Collection ids by tier. */
  tiers: string[][]
  collections: Record<string, CollectionConfig>
}

/** A batch as the engine sees it. */
export type RunningBatch = {
  batch_id: string
  bucket_id: string
  status: string
  /** BUCKET: tier 0 reads the batch's objects; COLLECTION: it reads all documents of its source collections. */
  type: string
  task_id: string
  /** Set while failed rows are retried: later tiers read only documents written since. */
  rerun_since: string | null
  /** Of all its jobs. */
  priority: number
  object_count: number
  snapshot: BatchSnapshot
}

/** Snapshots of batches that run; a worker needs few at a time. */
const SNAPSHOTS_MAX = 32

const COLUMNS = [
  'batch_id',
  'bucket_id',
  'status',
  'type',
  'task_id',
  'rerun_since',
  'priority',
  'object_count',
] as const

/** Reads batches; the snapshot of one never changes, so it is parsed once. */
export class BatchReader {
  readonly #snapshots = new Map<string, BatchSnapshot>()

  /** The batch, or undefined when it was deleted or never submitted. */
  async find(db: DbOrTrx, { namespaceId }: Scope, batch_id: string): Promise<RunningBatch | undefined> {
    const key = `${namespaceId} ${batch_id}`
    const known = this.#snapshots.get(key)
    const row = await db
      .selectFrom('batches')
      .select(COLUMNS)
      .$if(!known, (query) => query.select('snapshot'))
      .where('namespace_id', '=', namespaceId)
      .where('batch_id', '=', batch_id)
      .executeTakeFirst()
    if (!row?.task_id) return undefined
    const snapshot = known ?? (row.snapshot ? (JSON.parse(row.snapshot) as BatchSnapshot) : undefined)
    if (!snapshot) return undefined
    if (!known) this.#remember(key, snapshot)
    return { ...row, task_id: row.task_id, snapshot }
  }

  #remember(key: string, snapshot: BatchSnapshot): void {
    const [oldest] = this.#snapshots.keys()
    if (oldest !== undefined && this.#snapshots.size >= SNAPSHOTS_MAX) this.#snapshots.delete(oldest)
    this.#snapshots.set(key, snapshot)
  }
}
