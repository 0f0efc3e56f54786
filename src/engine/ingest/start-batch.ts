import type { Scope } from '../../core/scope.ts'
import type { Trx } from '../../platform/db/db.ts'
import { counted, logTier } from './batch-log.ts'
import type { RunningBatch } from './snapshot.ts'
import { sourcesInBatch, startTier, type TierDeps } from './tiers.ts'

/** Writes the tiers of a submitted batch and the first jobs, in the transaction that submits it. */
export async function startBatch(trx: Trx, scope: Scope, deps: TierDeps, batch: RunningBatch): Promise<void> {
  const { batch_id, snapshot } = batch
  const { namespaceId: namespace_id } = scope
  const inBatch = new Map(Object.entries(snapshot.collections))
  await trx
    .insertInto('batch_tiers')
    .values(
      snapshot.tiers.map((ids, tier_num) => ({
        namespace_id,
        batch_id,
        tier_num,
        task_id: null,
        parent_task_id: null,
        status: 'PENDING',
        source_type: tier_num === 0 && batch.type === 'BUCKET' ? 'bucket' : 'collection',
        source_collection_ids: JSON.stringify(sourcesOf(ids, tier_num, snapshot, inBatch)),
        jobs_open: 0,
        retry_rows: null,
        held_jobs: null,
        started_at: null,
        completed_at: null,
      })),
    )
    .execute()
  await trx
    .insertInto('batch_tier_collections')
    .values(
      snapshot.tiers.flatMap((ids, tier_num) =>
        ids.map((collection_id, position) => ({
          namespace_id,
          batch_id,
          tier_num,
          collection_id,
          position,
          feature_extractor_id: snapshot.collections[collection_id]!.feature_extractor.feature_extractor_id,
          status: 'PENDING',
          started_at: null,
          completed_at: null,
        })),
      ),
    )
    .execute()
  await logTier(trx, scope, { batch_id, tier_num: 0 }, [
    `The batch was submitted: ${counted(batch.object_count, 'object')}, ${counted(snapshot.tiers.length, 'tier')}, priority ${batch.priority}.`,
  ])
  await startTier(trx, scope, deps, batch, 0)
}

function sourcesOf(
  ids: readonly string[],
  tier_num: number,
  { collections }: RunningBatch['snapshot'],
  inBatch: Map<string, unknown>,
): string[] {
  const configs = ids.map((id) => collections[id]!)
  const sources = configs.flatMap((config) =>
    tier_num === 0 ? (config.source.collection_ids ?? []) : sourcesInBatch(config, inBatch),
  )
  return [...new Set(sources)]
}
