import type { Scope } from '../../core/scope.ts'
import { recordAudit } from '../../platform/audit/audit-log.ts'
import type { Trx } from '../../platform/db/db.ts'
import { recordEvents } from '../../platform/events/outbox.ts'

/** Tells webhooks and the audit log of a change of a collection, in its transaction. */
export async function announceCollection(
  trx: Trx,
  scope: Scope,
  what: 'created' | 'updated' | 'deleted',
  { collection_id, collection_name }: { collection_id: string; collection_name: string },
): Promise<void> {
  await recordAudit(trx, scope, {
    action: `collection_${what}`,
    resource_type: 'collection',
    resource_id: collection_id,
  })
  await recordEvents(trx, scope, [
    {
      event_type: `collection.${what}`,
      subject: { type: 'collection', id: collection_id },
      metadata: { collection_id, collection_name },
      cache_scope: { scope: 'collection', collection_id },
    },
  ])
}
