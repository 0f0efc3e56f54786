import { newId } from '../../core/ids.ts'
import { timestamp } from '../../core/time.ts'
import type { Registry } from '../../extractors/registry.ts'
import { type Db, inTransaction } from '../../platform/db/db.ts'
import { listedExtractor } from './extractors.ts'

/** The name that clients fall back to. */
export const DEFAULT_NAME = 'default'

/** An organization without any namespace gets one with every extractor, so that nothing must be set up first. */
export async function ensureDefaultNamespace(
  db: Db,
  organization_id: string,
  extractors: Pick<Registry, 'all'>,
): Promise<void> {
  await inTransaction(db, async (trx) => {
    const any = await trx
      .selectFrom('namespaces')
      .select('namespace_id')
      .where('organization_id', '=', organization_id)
      .limit(1)
      .executeTakeFirst()
    if (any) return
    const now = timestamp()
    await trx
      .insertInto('namespaces')
      .values({
        namespace_id: newId.namespace(),
        organization_id,
        namespace_name: DEFAULT_NAME,
        description: null,
        namespace_type: 'standard',
        feature_extractors: JSON.stringify(extractors.all.map(listedExtractor)),
        payload_indexes: '[]',
        infrastructure: null,
        auto_create_indexes: 0,
        status: 'ACTIVE',
        delete_task_id: null,
        created_at: now,
        updated_at: now,
      })
      // Servers that start together on one database find each other's.
      .onConflict((conflict) => conflict.columns(['organization_id', 'namespace_name']).doNothing())
      .execute()
  })
}
