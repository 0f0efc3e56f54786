import type { CollectionConfig } from '../../core/collections/config.ts'
import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { tiersOf } from '../../engine/ingest/dag.ts'
import type { BatchSnapshot } from '../../engine/ingest/snapshot.ts'
import { startBatch } from '../../engine/ingest/start-batch.ts'
import type { TierDeps } from '../../engine/ingest/tiers.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import { listConsumers, toConfig } from '../collections/index.ts'
import { insertTask } from '../tasks/index.ts'
import * as store from './store.ts'

/** Which collections a batch of a bucket runs, tier by tier. */
export type Dag = { tiers: string[][]; collections: Record<string, CollectionConfig> }

/** The enabled collections that read the bucket, directly or through others; null when there are none. */
export async function dagOf(db: DbOrTrx, scope: Scope, bucket_id: string): Promise<Dag | null> {
  const configs = (await listConsumers(db, scope, { bucket_id })).map(toConfig)
  if (configs.length === 0) return null
  const roots = configs.filter(({ source }) => source.type === 'bucket')
  const tiers = tiersOf(
    roots.map(({ collection_id }) => collection_id),
    configs.map(({ collection_id, source }) => ({
      collection_id,
      source_collection_ids: source.collection_ids ?? [],
    })),
  )
  return { tiers, collections: Object.fromEntries(configs.map((config) => [config.collection_id, config])) }
}

/** What is stored of a DAG for display. */
export const dagColumns = (dag: Dag | null) => ({
  collection_ids: dag && JSON.stringify(dag.tiers.flat()),
  dag_tiers: dag && JSON.stringify(dag.tiers),
  total_tiers: dag?.tiers.length ?? 1,
})

export type SubmitOptions = {
  include_processing_history: boolean
  /** Of its jobs among all that wait: higher runs first. Absent: the batch keeps what it has. */
  priority?: number | null
  filters?: JsonObject | null
  request_id?: string | null
}

/** Objects that a task names so that a person recognizes the batch. */
const SAMPLE_MAX = 5

/**
 * Hands a DRAFT batch to the engine, all in the given transaction: configurations frozen, tiers, tasks
 * and first jobs written. Returns the batch-wide task. Throws `batch_empty`, `no_collections_for_bucket`.
 */
export async function submitBatch(
  trx: Trx,
  scope: Scope,
  deps: TierDeps,
  batch: store.BatchRow,
  { include_processing_history, filters = null, request_id = null, ...options }: SubmitOptions,
): Promise<string> {
  const { batch_id, bucket_id, object_count } = batch
  if (object_count === 0) throw new KuraError('batch_empty')
  const dag = await dagOf(trx, scope, bucket_id)
  if (!dag) throw new KuraError('no_collections_for_bucket', { bucket_id })
  const priority = options.priority ?? batch.priority
  const snapshot: BatchSnapshot = { include_processing_history, filters, ...dag }
  const task_id = newId.task()
  await insertTask(trx, scope, {
    task_type: 'api_buckets_batches_process',
    task_id,
    namespace_id: scope.namespaceId,
    inputs: [batch_id],
    additional_data: {
      batch_id,
      bucket_id,
      namespace_id: scope.namespaceId,
      collection_ids: dag.tiers.flat(),
      total_tiers: dag.tiers.length,
      current_tier: 0,
      object_count,
      sample_object_ids: await store.objectIds(trx, scope, batch_id, SAMPLE_MAX),
      job_id: task_id,
      ...(request_id !== null && { request_id }),
    },
    // Of the first tier; the others add theirs when they know them.
    total: batch.type === 'BUCKET' ? object_count * dag.tiers[0]!.length : null,
  })
  const now = timestamp()
  await store.updateBatch(trx, scope, batch_id, {
    status: 'PENDING',
    task_id,
    priority,
    submitted_at: now,
    progress_at: now,
    snapshot: JSON.stringify(snapshot),
    ...dagColumns(dag),
  })
  await store.setObjectStatuses(trx, scope, batch_id, { to: 'PENDING' })
  const running = {
    batch_id,
    bucket_id,
    status: 'PENDING',
    type: batch.type,
    task_id,
    rerun_since: null,
    priority,
    object_count,
    snapshot,
  }
  await startBatch(trx, scope, deps, running)
  return task_id
}
