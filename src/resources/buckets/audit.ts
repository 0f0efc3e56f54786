import type { Scope } from '../../core/scope.ts'
import { recordAudit } from '../../platform/audit/audit-log.ts'
import type { Trx } from '../../platform/db/db.ts'
import type { BucketChanges, BucketRow } from './store.ts'

/** Members that the audit log tells of, with the columns that are JSON. */
const AUDITED = ['bucket_name', 'description', 'storage_class', 'is_locked', 'status'] as const
const AUDITED_JSON = ['metadata', 'bucket_schema', 'source_adapter'] as const

export function auditCreation(
  trx: Trx,
  scope: Scope,
  { bucket_id, bucket_name }: Pick<BucketRow, 'bucket_id' | 'bucket_name'>,
): Promise<void> {
  return recordAudit(trx, scope, {
    action: 'bucket_created',
    resource_type: 'bucket',
    resource_id: bucket_id,
    changes: { bucket_name: { new: bucket_name } },
  })
}

/** Old and new values of what really changed; secrets of an adapter were masked before they were stored. */
export async function auditChange(
  trx: Trx,
  scope: Scope,
  before: BucketRow,
  after: BucketChanges,
): Promise<void> {
  const changes: Record<string, { old: unknown; new: unknown }> = {}
  for (const member of AUDITED) {
    const value = after[member]
    if (value !== undefined && value !== before[member]) changes[member] = { old: before[member], new: value }
  }
  for (const member of AUDITED_JSON) {
    const value = after[member]
    if (value !== undefined && value !== before[member])
      changes[member] = { old: parsed(before[member]), new: parsed(value) }
  }
  if (changes.is_locked) changes.is_locked = { old: before.is_locked === 1, new: after.is_locked === 1 }
  if (Object.keys(changes).length === 0) return
  await recordAudit(trx, scope, {
    action: 'bucket_updated',
    resource_type: 'bucket',
    resource_id: before.bucket_id,
    changes,
  })
}

/** Written when the deletion begins: the task that ends it acts for nobody. */
export function auditDeletion(
  trx: Trx,
  scope: Scope,
  { bucket_id, bucket_name, object_count }: Pick<BucketRow, 'bucket_id' | 'bucket_name' | 'object_count'>,
): Promise<void> {
  return recordAudit(trx, scope, {
    action: 'bucket_deleted',
    resource_type: 'bucket',
    resource_id: bucket_id,
    changes: { bucket_name: { old: bucket_name }, object_count: { old: object_count } },
  })
}

const parsed = (json: string | null): unknown => (json === null ? null : JSON.parse(json))
