import type { OrganizationScope } from '../../core/scope.ts'
import { recordAudit } from '../../platform/audit/audit-log.ts'
import { changesOf } from '../../platform/audit/changes.ts'
import type { Trx } from '../../platform/db/db.ts'
import type { NamespaceRow } from './store.ts'

const AUDITED = [
  'namespace_name',
  'description',
  'namespace_type',
  'feature_extractors',
  'payload_indexes',
  'infrastructure',
  'auto_create_indexes',
] as const

/** Writes to the audit log what became of a namespace; null stands for none. */
export async function auditNamespace(
  trx: Trx,
  scope: OrganizationScope,
  action: 'namespace_created' | 'namespace_updated' | 'namespace_deleted',
  before: NamespaceRow | null,
  after: NamespaceRow | null,
): Promise<void> {
  await recordAudit(trx, scope, {
    action,
    resource_type: 'namespace',
    resource_id: (after ?? before)!.namespace_id,
    changes: changesOf(readable(before), readable(after), AUDITED),
  })
}

const readable = (row: NamespaceRow | null) =>
  row && {
    ...row,
    feature_extractors: JSON.parse(row.feature_extractors),
    payload_indexes: JSON.parse(row.payload_indexes),
    infrastructure: row.infrastructure === null ? null : JSON.parse(row.infrastructure),
    auto_create_indexes: row.auto_create_indexes === 1,
  }
