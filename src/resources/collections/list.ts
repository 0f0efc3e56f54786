import { onlyVisible } from '../../core/key-scopes.ts'
import { listInMemory } from '../../core/memory-list.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, inSnapshot } from '../../platform/db/db.ts'
import { presentCollection } from './present.ts'
import { toRecord } from './record.ts'
import { countRetrievers } from './retriever-counts.ts'
import type { CollectionResponse, ListCollectionsBody, ListCollectionsResponse } from './schemas.ts'
import * as store from './store.ts'

/**
 * One page of the collections that match, with counts over all matches. A namespace has few
 * collections, each with deep JSON that any filter may reach into, so they are judged in memory.
 */
export async function listCollections(
  db: Db,
  scope: Scope,
  body: ListCollectionsBody,
  page: PageRequest,
): Promise<ListCollectionsResponse> {
  const { results, matches, pagination } = listInMemory(await readAll(db, scope), {
    query: onlyVisible(body, scope),
    page,
    path: '/v1/collections/list',
    id: 'collection_id',
    texts: ({ collection_id, collection_name, description, feature_extractor }) => [
      collection_id,
      collection_name,
      description,
      feature_extractor.feature_extractor_name,
    ],
  })
  return { results, total_count: matches.length, pagination, stats: statsOf(matches) }
}

function readAll(db: Db, scope: Scope): Promise<CollectionResponse[]> {
  return inSnapshot(db, async (trx) => {
    const rows = await store.listCollections(trx, scope)
    const counts = await countRetrievers(trx, scope)
    return rows.map((row) => presentCollection(toRecord(row), { retriever_count: counts(row) }))
  })
}

function statsOf(matches: readonly CollectionResponse[]): ListCollectionsResponse['stats'] {
  const sum = (count: (one: CollectionResponse) => number) =>
    matches.reduce((total, one) => total + count(one), 0)
  const total_documents = sum(({ document_count }) => document_count)
  return {
    total_documents,
    avg_documents_per_collection: matches.length === 0 ? 0 : total_documents / matches.length,
    collections_with_taxonomies: matches.filter(({ taxonomy_count }) => taxonomy_count > 0).length,
    total_feature_extractors: matches.length,
    total_taxonomies: sum(({ taxonomy_count }) => taxonomy_count),
    total_retrievers: sum(({ retriever_count }) => retriever_count),
  }
}
