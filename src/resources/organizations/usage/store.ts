import type { OrganizationScope } from '../../../core/scope.ts'
import type { DbOrTrx } from '../../../platform/db/db.ts'

export type Ingested = {
  documents_written: number
  objects_created: number
  bytes_stored: number
  compute_seconds: number
}

/**
 * What the namespaces of an organization took in during a time (`from` included, `until` not): objects
 * that still exist, documents of batches, the time that batches ran; and what is stored now.
 */
export async function readIngested(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  { from, until }: { from: string; until: string },
): Promise<Ingested> {
  const namespaces = db
    .selectFrom('namespaces')
    .select('namespace_id')
    .where('organization_id', '=', organizationId)
  const objects = await db
    .selectFrom('objects')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('namespace_id', 'in', namespaces)
    .where('created_at', '>=', from)
    .where('created_at', '<', until)
    .executeTakeFirstOrThrow()
  const stored = await db
    .selectFrom('bucket_totals')
    .select((eb) => eb.fn.sum<number | null>('total_size_bytes').as('bytes'))
    .where('namespace_id', 'in', namespaces)
    .executeTakeFirstOrThrow()
  const tiers = await db
    .selectFrom('batch_tier_collections')
    .select(['documents_written', 'started_at', 'completed_at'])
    .where('namespace_id', 'in', namespaces)
    .where('started_at', '>=', from)
    .where('started_at', '<', until)
    .execute()
  const ran_ms = tiers.reduce((sum, { started_at, completed_at }) => {
    if (started_at === null || completed_at === null) return sum
    return sum + Math.max(0, Date.parse(completed_at) - Date.parse(started_at))
  }, 0)
  return {
    documents_written: tiers.reduce((sum, tier) => sum + tier.documents_written, 0),
    objects_created: Number(objects.count),
    bytes_stored: Number(stored.bytes ?? 0),
    compute_seconds: Math.round(ran_ms / 100) / 10,
  }
}
