import { KuraError } from '../../core/errors.ts'
import { omitNulls } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import { readLog } from '../../engine/ingest/batch-log.ts'
import { listTiers } from '../../engine/ingest/store.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import type { BatchLogsResponse } from './schemas.ts'

/** What happened in the tiers of a batch, or in one of them. A draft has none. Throws `tier_not_found`. */
export async function readLogs(
  db: DbOrTrx,
  scope: Scope,
  batch_id: string,
  tier_num: number | null,
): Promise<BatchLogsResponse> {
  const all = await listTiers(db, scope, batch_id)
  const tiers = tier_num === null ? all : [findTier(all, batch_id, tier_num)]
  const shown: BatchLogsResponse['tiers'] = []
  for (const tier of tiers)
    shown.push(
      omitNulls({
        tier_num: tier.tier_num,
        task_id: tier.task_id,
        status: tier.status as TaskStatus,
        logs: await readLog(db, scope, tier),
      }),
    )
  return { batch_id, tiers: shown }
}

type Tier = Awaited<ReturnType<typeof listTiers>>[number]

export function findTier(tiers: readonly Tier[], batch_id: string, tier_num: number): Tier {
  const tier = tiers.find((one) => one.tier_num === tier_num)
  if (!tier) throw new KuraError('tier_not_found', { resource: 'tier', id: `${batch_id}/${tier_num}` })
  return tier
}
