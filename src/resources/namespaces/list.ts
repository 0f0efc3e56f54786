import { onlyVisible } from '../../core/key-scopes.ts'
import { listInMemory } from '../../core/memory-list.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { type Db, inSnapshot } from '../../platform/db/db.ts'
import { type Catalogue, presentNamespace } from './present.ts'
import type {
  CountedInNamespace,
  ListNamespacesBody,
  ListNamespacesResponse,
  NamespaceModel,
} from './schemas.ts'
import * as store from './store.ts'

/**
 * One page of the namespaces that match, with sums over all matches. An organization has few
 * namespaces, and any filter may reach into them, so they are judged in memory.
 */
export async function listNamespaces(
  db: Db,
  scope: OrganizationScope,
  catalogue: Catalogue,
  body: ListNamespacesBody,
  page: PageRequest,
): Promise<ListNamespacesResponse> {
  const all = await inSnapshot(db, async (trx) => {
    const counts = await store.countContents(trx, scope)
    const rows = await store.listNamespaces(trx, scope)
    return rows.map((row) => presentNamespace(row, counts(row.namespace_id), catalogue))
  })
  const { results, matches, pagination } = listInMemory(all, {
    query: onlyVisible(body, scope),
    page,
    path: '/v1/namespaces/list',
    id: 'namespace_id',
    texts: ({ namespace_id, namespace_name, description }) => [namespace_id, namespace_name, description],
  })
  return { results, total_count: matches.length, pagination, stats: statsOf(matches) }
}

const COUNTS: Record<CountedInNamespace, (namespace: NamespaceModel) => number> = {
  feature_extractors: ({ feature_extractors }) => feature_extractors.length,
  payload_indexes: ({ payload_indexes }) => payload_indexes.length,
  documents: ({ document_count }) => document_count,
  buckets: ({ bucket_count }) => bucket_count,
  collections: ({ collection_count }) => collection_count,
  objects: ({ object_count }) => object_count,
}

function statsOf(matches: readonly NamespaceModel[]): ListNamespacesResponse['stats'] {
  const stats: Record<string, number> = {}
  for (const [name, count] of Object.entries(COUNTS)) {
    const total = matches.reduce((sum, namespace) => sum + count(namespace), 0)
    stats[`total_${name}`] = total
    stats[`avg_${name}_per_namespace`] = matches.length === 0 ? 0 : total / matches.length
  }
  return stats as ListNamespacesResponse['stats']
}
