import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { isTerminal, type TaskStatus } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import type { Effects } from '../../engine/ingest/deps.ts'
import { listTiers } from '../../engine/ingest/store.ts'
import { type Db, inSnapshot, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { changeBatchStats, findBucket, requireWritable } from '../buckets/index.ts'
import type { TaskResponse, TaskService } from '../tasks/index.ts'
import { cancelBatch } from './cancel.ts'
import { type FailureFilter, listFailures } from './failures.ts'
import { checkHealth } from './health.ts'
import { listBatches } from './list.ts'
import { findTier, readLogs } from './logs.ts'
import { presentBatch } from './present.ts'
import { retryFailures } from './retry.ts'
import type {
  BatchHealth,
  BatchLogsResponse,
  BatchModel,
  CreateBatchBody,
  FailedDocumentsResponse,
  ListBatchesBody,
  ListBatchesResponse,
  PatchBatchBody,
  RetryBatchBody,
  RetryBatchResponse,
  RetryVectorWriteResponse,
} from './schemas.ts'
import * as store from './store.ts'
import { dagColumns, dagOf, type SubmitOptions, submitBatch } from './submit.ts'

/** Object ids shown of one batch: enough for every client that looks, few enough to answer quickly. */
const IDS_MAX = 10_000
const IDS_IN_LIST_MAX = 1000

/** A batch named by a path; `bucket_identifier` is absent on routes that know the batch alone. */
export type BatchPath = { bucket_identifier?: string | undefined; batch_id: string }

export class BatchService {
  readonly #db: Db
  readonly #queue: JobQueue
  readonly #effects: Effects
  readonly #tasks: Pick<TaskService, 'get'>

  constructor({
    db,
    queue,
    effects,
    tasks,
  }: {
    db: Db
    queue: JobQueue
    effects: Effects
    tasks: Pick<TaskService, 'get'>
  }) {
    this.#db = db
    this.#queue = queue
    this.#effects = effects
    this.#tasks = tasks
  }

  /** Throws `objects_not_found` unless `skip_validation` leaves that to the run. */
  create(
    scope: Scope,
    bucket_identifier: string,
    { object_ids, metadata }: CreateBatchBody,
    { skip_validation = false } = {},
  ): Promise<BatchModel> {
    return inTransaction(this.#db, async (trx) => {
      const bucket = await findBucket(trx, scope, bucket_identifier)
      requireWritable(bucket)
      if (!skip_validation) await store.requireObjects(trx, scope, bucket.bucket_id, object_ids)
      const batch_id = await this.#insert(trx, scope, bucket.bucket_id, {
        object_ids,
        metadata: metadata ?? {},
      })
      return this.#read(trx, scope, batch_id)
    })
  }

  /** Only a DRAFT takes objects (`batch_not_draft`); those that it holds already are no error. */
  add(
    scope: Scope,
    path: BatchPath,
    object_ids: readonly string[],
    { skip_validation = false } = {},
  ): Promise<BatchModel> {
    return inTransaction(this.#db, async (trx) => {
      const batch = await this.#find(trx, scope, path)
      if (batch.status !== 'DRAFT') throw new KuraError('batch_not_draft', { status: batch.status })
      if (!skip_validation) await store.requireObjects(trx, scope, batch.bucket_id, object_ids)
      const { batch_id } = batch
      const position = await store.nextPosition(trx, scope, batch_id)
      const added = await store.addObjects(trx, scope, batch_id, object_ids, position)
      await store.updateBatch(trx, scope, batch_id, { object_count: batch.object_count + added })
      return this.#read(trx, scope, batch_id)
    })
  }

  /** Hands a DRAFT to the engine; a running batch answers its task again. Throws `batch_finished`. */
  async submit(scope: Scope, path: BatchPath, options: SubmitOptions): Promise<TaskResponse> {
    const task_id = await inTransaction(this.#db, async (trx) => {
      const batch = await this.#find(trx, scope, path)
      if (isTerminal(batch.status)) throw new KuraError('batch_finished', { status: batch.status })
      if (batch.task_id !== null) return batch.task_id
      return submitBatch(trx, scope, this.#engine(), batch, options)
    })
    this.#queue.wake()
    return this.#tasks.get(scope, task_id)
  }

  /**
   * Creates and submits a batch of objects that exist; null when no collection reads the bucket. Inside
   * the caller's transaction when one is given; then the caller wakes the queue after its commit.
   */
  async createAndSubmit(
    scope: Scope,
    {
      bucket_id,
      object_ids,
      request_id = null,
    }: { bucket_id: string; object_ids: string[]; request_id?: string | null },
    trx?: Trx,
  ): Promise<{ batch_id: string; task_id: string } | null> {
    const result = await inTransaction(trx ?? this.#db, async (own) => {
      if (!(await dagOf(own, scope, bucket_id))) return null
      const batch_id = await this.#insert(own, scope, bucket_id, { object_ids, metadata: {} })
      const batch = await store.findBatch(own, scope, { batch_id })
      const options = { include_processing_history: true, request_id }
      return { batch_id, task_id: await submitBatch(own, scope, this.#engine(), batch, options) }
    })
    if (!trx) this.#queue.wake()
    return result
  }

  /** Throws `batch_not_found`. */
  get(scope: Scope, path: BatchPath): Promise<BatchModel> {
    return inSnapshot(this.#db, async (trx) => {
      const row = await this.#find(trx, scope, path, { lock: false })
      return presentBatch(trx, scope, row, { object_ids_max: IDS_MAX })
    })
  }

  /** Batches of the bucket that match, newest first unless sorted. */
  list(
    scope: Scope,
    bucket_identifier: string,
    body: ListBatchesBody,
    page: PageRequest,
  ): Promise<ListBatchesResponse> {
    return inSnapshot(this.#db, async (trx) => {
      const { bucket_id } = await findBucket(trx, scope, bucket_identifier)
      const { rows, total } = await listBatches(trx, scope, bucket_id, body, page)
      const results: BatchModel[] = []
      for (const row of rows)
        results.push(await presentBatch(trx, scope, row, { object_ids_max: IDS_IN_LIST_MAX }))
      return { results, total_count: total }
    })
  }

  /** Merges `metadata`, in any state; null removes a key. A new `priority` holds for its jobs that wait, too. */
  patch(scope: Scope, path: BatchPath, { metadata, priority }: PatchBatchBody): Promise<BatchModel> {
    return inTransaction(this.#db, async (trx) => {
      const batch = await this.#find(trx, scope, path)
      const merged = Object.entries({ ...JSON.parse(batch.metadata), ...metadata })
      const kept = Object.fromEntries(merged.filter(([, value]) => value !== null))
      await store.updateBatch(trx, scope, batch.batch_id, {
        metadata: JSON.stringify(kept),
        priority: priority ?? batch.priority,
      })
      if (typeof priority === 'number') await store.setJobPriority(trx, scope, batch.batch_id, priority)
      return this.#read(trx, scope, batch.batch_id)
    })
  }

  /** A running batch is canceled first; objects and documents stay. */
  delete(scope: Scope, path: BatchPath): Promise<void> {
    return inTransaction(this.#db, async (trx) => {
      const { batch_id } = await this.#find(trx, scope, path)
      await cancelBatch(trx, scope, batch_id)
      const { status, bucket_id } = await store.findBatch(trx, scope, { batch_id })
      await store.deleteBatch(trx, scope, batch_id)
      await changeBatchStats(trx, scope, bucket_id, { from: status, to: null })
    })
  }

  /** Throws `batch_is_draft`; a batch that has ended answers its task unchanged. */
  async cancel(scope: Scope, path: BatchPath): Promise<TaskResponse> {
    const task_id = await inTransaction(this.#db, async (trx) => {
      const batch = await this.#find(trx, scope, path)
      if (batch.task_id === null) throw new KuraError('batch_is_draft')
      await cancelBatch(trx, scope, batch.batch_id)
      return batch.task_id
    })
    return this.#tasks.get(scope, task_id)
  }

  failedDocuments(
    scope: Scope,
    path: BatchPath,
    filter: FailureFilter,
    page: PageRequest,
  ): Promise<FailedDocumentsResponse> {
    return inSnapshot(this.#db, async (trx) => {
      const { batch_id } = await this.#find(trx, scope, path, { lock: false })
      return listFailures(trx, scope, batch_id, filter, page)
    })
  }

  /** What happened, tier by tier. Throws `tier_not_found`. */
  logs(scope: Scope, path: BatchPath, tier_num: number | null): Promise<BatchLogsResponse> {
    return inSnapshot(this.#db, async (trx) => {
      const { batch_id } = await this.#find(trx, scope, path, { lock: false })
      return readLogs(trx, scope, batch_id, tier_num)
    })
  }

  health(scope: Scope, path: BatchPath): Promise<BatchHealth> {
    return inTransaction(this.#db, async (trx) => checkHealth(trx, scope, await this.#find(trx, scope, path)))
  }

  /** There is nothing to do, ever: vectors commit with their documents. Throws `tier_not_found`. */
  retryVectorWrite(scope: Scope, path: BatchPath, tier_num: number): Promise<RetryVectorWriteResponse> {
    return inSnapshot(this.#db, async (trx) => {
      const { batch_id } = await this.#find(trx, scope, path, { lock: false })
      const tier = findTier(await listTiers(trx, scope, batch_id), batch_id, tier_num)
      return {
        batch_id,
        tier_num,
        status: tier.status as TaskStatus,
        documents_written: 0,
        message: 'Vectors were written together with their documents; none is missing.',
      }
    })
  }

  /** Runs failed rows of an ended batch again, and what follows from them. Throws `batch_not_terminal`. */
  async retry(scope: Scope, path: BatchPath, body: RetryBatchBody): Promise<RetryBatchResponse> {
    const result = await inTransaction(this.#db, async (trx) => {
      const batch = await this.#find(trx, scope, path)
      if (!isTerminal(batch.status)) throw new KuraError('batch_not_terminal', { status: batch.status })
      return retryFailures(trx, scope, this.#engine(), batch, body)
    })
    this.#queue.wake()
    return result
  }

  #engine() {
    return { queue: this.#queue, effects: this.#effects }
  }

  async #find(
    trx: Trx,
    scope: Scope,
    { bucket_identifier, batch_id }: BatchPath,
    options = { lock: true },
  ): Promise<store.BatchRow> {
    const bucket =
      bucket_identifier === undefined ? undefined : await findBucket(trx, scope, bucket_identifier)
    return store.findBatch(trx, scope, { batch_id, bucket_id: bucket?.bucket_id }, options)
  }

  async #insert(
    trx: Trx,
    scope: Scope,
    bucket_id: string,
    { object_ids, metadata }: { object_ids: readonly string[]; metadata: Record<string, unknown> },
  ): Promise<string> {
    const batch_id = newId.batch()
    const now = timestamp()
    const object_count = await store.addObjects(trx, scope, batch_id, object_ids, 0)
    await store.insertBatch(trx, {
      namespace_id: scope.namespaceId,
      batch_id,
      bucket_id,
      type: 'BUCKET',
      status: 'DRAFT',
      object_count,
      created_at: now,
      updated_at: now,
      internal_metadata: '{}',
      metadata: JSON.stringify(metadata),
      ...dagColumns(await dagOf(trx, scope, bucket_id)),
    })
    await changeBatchStats(trx, scope, bucket_id, { from: null, to: 'DRAFT' })
    return batch_id
  }

  async #read(trx: Trx, scope: Scope, batch_id: string): Promise<BatchModel> {
    const row = await store.findBatch(trx, scope, { batch_id })
    return presentBatch(trx, scope, row, { object_ids_max: IDS_MAX })
  }
}
