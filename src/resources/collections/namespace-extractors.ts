import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'

/** An extractor as a namespace lists it; `params` are locked once it is there. */
export type NamespaceExtractor = {
  feature_extractor_name: string
  version: string
  params?: JsonObject | null
}

export type NamespaceLists = { feature_extractors: NamespaceExtractor[]; payload_indexes: unknown[] }

export async function readNamespaceLists(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
): Promise<NamespaceLists> {
  let query = db
    .selectFrom('namespaces')
    .select(['feature_extractors', 'payload_indexes'])
    .where('namespace_id', '=', namespaceId)
  // Inside a transaction the list is about to be changed: others must wait, or one entry would be lost.
  if (db.isTransaction && dialect(db) === 'postgres') query = query.forUpdate()
  const row = await query.executeTakeFirstOrThrow()
  return {
    feature_extractors: JSON.parse(row.feature_extractors),
    payload_indexes: JSON.parse(row.payload_indexes),
  }
}

export const findListed = (
  { feature_extractors }: NamespaceLists,
  { feature_extractor_name, version }: Pick<NamespaceExtractor, 'feature_extractor_name' | 'version'>,
): NamespaceExtractor | undefined =>
  feature_extractors.find(
    (entry) => entry.feature_extractor_name === feature_extractor_name && entry.version === version,
  )

/** Adds a built-in extractor that the namespace does not list yet. */
export async function ensureListed(
  trx: Trx,
  scope: Pick<Scope, 'namespaceId'>,
  extractor: NamespaceExtractor,
): Promise<void> {
  const lists = await readNamespaceLists(trx, scope)
  if (findListed(lists, extractor)) return
  await trx
    .updateTable('namespaces')
    .set({
      feature_extractors: JSON.stringify([...lists.feature_extractors, extractor]),
      updated_at: timestamp(),
    })
    .where('namespace_id', '=', scope.namespaceId)
    .execute()
}
