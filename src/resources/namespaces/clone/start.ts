import { KuraError } from '../../../core/errors.ts'
import { newId } from '../../../core/ids.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { timestamp } from '../../../core/time.ts'
import { type Db, inTransaction } from '../../../platform/db/db.ts'
import type { JobQueue } from '../../../platform/queue/queue.ts'
import { insertTask } from '../../tasks/index.ts'
import { auditNamespace } from '../audit.ts'
import { CLONING, DELETING, namespaceNotFound } from '../delete.ts'
import type { CloneNamespaceBody } from '../schemas.ts'
import * as store from '../store.ts'
import type { CloneInclude, CloneNamespacePayload } from './context.ts'

const INCLUDED: CloneInclude = { collections: true, retrievers: true, taxonomies: false }

export type StartedClone = { namespace_id: string; source_namespace_id: string; task_id: string }

/**
 * Makes the namespace that the clone fills, and leaves the work to a job. Throws
 * `namespace_not_found`, `resource_deleting`, `namespace_cloning`, and a unique violation when the
 * name is taken.
 */
export function startClone(
  { db, queue }: { db: Db; queue: JobQueue },
  scope: OrganizationScope,
  identifier: string,
  { namespace_name, description, include_resources }: CloneNamespaceBody,
): Promise<StartedClone> {
  return inTransaction(db, async (trx) => {
    const source = await store.findNamespace(trx, scope, identifier)
    if (!source) throw namespaceNotFound(identifier)
    if (source.status === DELETING) throw new KuraError('resource_deleting', { resource: 'namespace' })
    if (source.status !== 'ACTIVE') throw new KuraError('namespace_cloning')
    const now = timestamp()
    const namespace_id = newId.namespace()
    const clone = {
      ...source,
      namespace_id,
      namespace_name,
      description: description ?? source.description,
      status: CLONING,
      delete_task_id: null,
      created_at: now,
      updated_at: now,
    }
    await store.insertNamespace(trx, clone)
    await auditNamespace(trx, scope, 'namespace_created', null, clone)
    const source_namespace_id = source.namespace_id
    const task_id = await insertTask(trx, scope, {
      task_type: 'api_namespaces_migrations_run',
      namespace_id,
      inputs: [source_namespace_id],
      additional_data: { namespace_id, namespace_name, source_namespace_id },
    })
    const include = { ...INCLUDED, ...include_resources }
    const payload: CloneNamespacePayload = { source_namespace_id, task_id, include }
    await queue.enqueue(trx, [
      { organization_id: scope.organizationId, namespace_id, kind: 'clone_namespace', payload },
    ])
    return { namespace_id, source_namespace_id, task_id }
  })
}
