import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import type { CollectionRecord } from './record.ts'
import { listRetrieverSources } from './store.ts'

type Named = Pick<CollectionRecord, 'collection_id' | 'collection_name'>

/** How many retrievers name a collection, by id or by name. */
export async function countRetrievers(
  db: DbOrTrx,
  scope: Pick<Scope, 'namespaceId'>,
): Promise<(collection: Named) => number> {
  const counts = new Map<string, Set<number>>()
  for (const [i, identifiers] of (await listRetrieverSources(db, scope)).entries())
    for (const identifier of identifiers) counts.set(identifier, (counts.get(identifier) ?? new Set()).add(i))
  return ({ collection_id, collection_name }) =>
    new Set([...(counts.get(collection_id) ?? []), ...(counts.get(collection_name) ?? [])]).size
}
