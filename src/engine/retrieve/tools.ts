import { KuraError } from '../../core/errors.ts'
import type { FilterNode } from '../../core/filters/ast.ts'
import { compareCodePoints } from '../../core/filters/fold.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { Db } from '../../platform/db/db.ts'
import type { LexicalIndexes } from '../../platform/lexical/lexical.ts'
import type { Models } from '../../platform/models/models.ts'
import type { FilterUses } from '../../platform/usage/filter-uses.ts'
import { findVectorIndex } from '../../platform/vectors/vector-store.ts'
import type { VectorFilter, VectorIndexes } from '../../platform/vectors/vectors.ts'
import type { FeatureSearch, StageTools } from '../../stages/stage.ts'
import { indexedFields } from '../documents/payload-indexes.ts'
import { documentMembers, readDocuments } from '../documents/record.ts'
import { matchingDocuments, passingDocuments } from './matching.ts'
import { queryVector, type ReadContent } from './query-vector.ts'
import { type ResolvedFeature, resolveFeatures, type ScopeCollection } from './scope-collections.ts'

export type RetrieveDeps = {
  db: Db
  models: Models
  vectors: VectorIndexes
  lexical: LexicalIndexes
  readContent: ReadContent
  filterUses: Pick<FilterUses, 'count'>
}

type Bound = {
  deps: RetrieveDeps
  scope: Scope
  collections: readonly ScopeCollection[]
  signal: AbortSignal
}

/** The tools of one run: everything a stage may read, with tenant and collections bound in. */
export function createStageTools(bound: Bound): StageTools {
  const { deps, scope, collections } = bound
  return {
    features: (name, identifiers, modality) =>
      resolveFeatures(within(collections, identifiers), name, modality, deps.models),
    search: (search) => {
      deps.filterUses.count(scope, search.filter)
      return search.feature.kind === 'lexical' ? searchText(bound, search) : searchVectors(bound, search)
    },
    scan: (options) => {
      deps.filterUses.count(scope, options.filter)
      return scan(bound, options)
    },
    async keep(document_seqs, filter) {
      const kept = new Set(await passing(bound, filter, null, document_seqs))
      return document_seqs.filter((document_seq) => kept.has(document_seq))
    },
    ids: (document_seqs) => documentIds(bound, document_seqs),
    async fields(document_seqs) {
      const documents = await readDocuments(deps.db, scope, { document_seqs })
      return new Map<number, JsonObject>(
        documents.map((document) => [document.document_seq, documentMembers(document, scope.namespaceId)]),
      )
    },
  }
}

/** Collections named by a stage must be among those of the retriever. */
function within(
  collections: readonly ScopeCollection[],
  identifiers: readonly string[] | null,
): readonly ScopeCollection[] {
  if (identifiers === null) return collections
  return identifiers.map((identifier) => {
    const found =
      collections.find((one) => one.collection_id === identifier) ??
      collections.find((one) => one.collection_name === identifier)
    if (!found) throw new KuraError('collection_not_found', { resource: 'collection', id: identifier })
    return found
  })
}

async function searchVectors(bound: Bound, { feature, query, top_k, filter, within: set }: FeatureSearch) {
  const { deps, scope, signal } = bound
  const { vector: definition, collection_ids } = feature as ResolvedFeature
  const index = await findVectorIndex(deps.db, scope, definition!.storage_name)
  // No document has this feature yet: the answer is empty, not an error.
  if (!index) return { matches: [], plan: 'empty', query_document_seq: null }
  const { vector, document_seq } = await queryVector(query, definition!, index, { ...deps, scope, signal })
  const narrowing = vectorFilter(bound, filter, set, collection_ids)
  const { matches, plan } = await deps.vectors.search({
    vector_index_id: index.vector_index_id,
    vector,
    top_k,
    collection_ids,
    signal,
    ...(narrowing && { filter: narrowing }),
  })
  return { matches, plan, query_document_seq: document_seq }
}

async function searchText(bound: Bound, { feature, query, top_k, filter, within: set }: FeatureSearch) {
  if (query.kind !== 'text')
    throw new KuraError('query_modality_unsupported', { feature: feature.feature_uri, modality: query.kind })
  const narrowing = vectorFilter(bound, filter, set, feature.collection_ids)
  const collection_seqs = bound.collections
    .filter((one) => feature.collection_ids.includes(one.collection_id))
    .map((one) => one.collection_seq)
  const matches = await bound.deps.lexical.search({
    collection_seqs,
    query: query.text,
    top_k,
    signal: bound.signal,
    ...(narrowing && { filter: narrowing }),
  })
  return { matches, plan: 'bm25', query_document_seq: null }
}

/** A filter and a working set as the index planner asks for them; undefined when nothing narrows the search. */
function vectorFilter(
  bound: Bound,
  filter: FilterNode | null,
  set: readonly number[] | null,
  collection_ids: readonly string[],
): VectorFilter | undefined {
  if (filter === null && set === null) return undefined
  const members = set ? new Set(set) : null
  const inSet = (document_seqs: readonly number[]) =>
    members ? document_seqs.filter((one) => members.has(one)) : document_seqs
  return {
    async passing(document_seqs) {
      const candidates = inSet(document_seqs)
      return filter ? passing(bound, filter, collection_ids, candidates) : [...candidates]
    },
    async all(limit) {
      if (set && set.length <= limit) return filter ? passing(bound, filter, collection_ids, set) : [...set]
      if (!filter) return null
      const { db } = bound.deps
      const indexed_fields = await indexedFields(db, bound.scope)
      const rows = await matchingDocuments(db, bound.scope, filter, collection_ids, indexed_fields)
        .select('document_seq')
        .limit(limit + 1)
        .execute()
      return rows.length > limit ? null : inSet(rows.map((row) => row.document_seq)).slice()
    },
  }
}

const passing = (
  { deps: { db }, scope }: Bound,
  filter: FilterNode,
  collection_ids: readonly string[] | null,
  document_seqs: readonly number[],
): Promise<number[]> => passingDocuments(db, scope, filter, collection_ids, document_seqs)

async function documentIds(
  { deps: { db }, scope: { namespaceId } }: Bound,
  document_seqs: readonly number[],
): Promise<Map<number, string>> {
  const rows = await db
    .selectFrom('documents')
    .select(['document_seq', 'document_id'])
    .where('namespace_id', '=', namespaceId)
    .where('document_seq', 'in', [...document_seqs])
    .execute()
  return new Map(rows.map((row) => [row.document_seq, row.document_id]))
}

async function scan(
  bound: Bound,
  { filter, collection_identifiers, limit_per_collection, limit }: Parameters<StageTools['scan']>[0],
): Promise<{ document_seqs: number[]; truncated: boolean }> {
  const found: { document_seq: number; created_at: string; document_id: string }[] = []
  let truncated = false
  const { db } = bound.deps
  const indexed_fields = filter ? await indexedFields(db, bound.scope) : undefined
  for (const { collection_id } of within(bound.collections, collection_identifiers)) {
    const rows = await matchingDocuments(db, bound.scope, filter, [collection_id], indexed_fields)
      .select(['document_seq', 'created_at', 'document_id'])
      .orderBy('created_at', 'desc')
      .orderBy('document_id')
      .limit(limit_per_collection + 1)
      .execute()
    if (rows.length > limit_per_collection) truncated = true
    found.push(...rows.slice(0, limit_per_collection))
  }
  // Newest first, then by id.
  found.sort(
    (a, b) =>
      compareCodePoints(b.created_at, a.created_at) || compareCodePoints(a.document_id, b.document_id),
  )
  return {
    document_seqs: found.slice(0, limit).map((one) => one.document_seq),
    truncated: truncated || found.length > limit,
  }
}
