import { newId } from '../../core/ids.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { DbOrTrx } from '../db/db.ts'

/** A row of the audit log. `action` is one of the contract's AuditAction values. */
export type AuditRecord = {
  action: string
  resource_type: string
  resource_id: string
  /** Old and new value by member; secrets MUST be masked before. */
  changes?: Readonly<Record<string, { old?: unknown; new?: unknown }>>
  status?: 'success' | 'failure'
}

/** Writes to the append-only audit log, in the transaction of the change where there is one. */
export async function recordAudit(db: DbOrTrx, scope: OrganizationScope, record: AuditRecord): Promise<void> {
  const { actor } = scope
  await db
    .insertInto('audit_events')
    .values({
      audit_id: newId.audit(),
      organization_id: scope.organizationId,
      timestamp: timestamp(),
      action: record.action,
      resource_type: record.resource_type,
      resource_id: record.resource_id,
      actor_id: actor?.userId ?? actor?.keyId ?? 'system',
      actor_type: actor ? (actor.userId ? 'user' : 'api_key') : 'system',
      status: record.status ?? 'success',
      changes: record.changes ? JSON.stringify(record.changes) : null,
      ip_address: actor?.ipAddress ?? null,
      user_agent: actor?.userAgent ?? null,
    })
    .execute()
}
