import { newId } from '../../src/core/ids.ts'
import { timestamp } from '../../src/core/time.ts'
import type { Deps } from '../../src/deps.ts'

/** An empty namespace of the test server's organization. */
export async function makeNamespace({ db, bootstrap }: Deps, name: string): Promise<string> {
  const namespace_id = newId.namespace()
  const now = timestamp()
  await db
    .insertInto('namespaces')
    .values({
      namespace_id,
      organization_id: bootstrap.organizationId,
      namespace_name: name,
      description: null,
      namespace_type: 'standard',
      feature_extractors: '[]',
      payload_indexes: '[]',
      infrastructure: null,
      auto_create_indexes: 0,
      status: 'ACTIVE',
      delete_task_id: null,
      created_at: now,
      updated_at: now,
    })
    .execute()
  return namespace_id
}
