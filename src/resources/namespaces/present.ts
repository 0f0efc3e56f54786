import { omitNulls } from '../../core/json.ts'
import type { Registry } from '../../extractors/registry.ts'
import type { Models } from '../../platform/models/models.ts'
import { inferenceMap, type ListedExtractor, withId } from './extractors.ts'
import { PROTECTED_INDEXES } from './payload-indexes.ts'
import type { NamespaceModel } from './schemas.ts'
import type { NamespaceCounts, NamespaceRow } from './store.ts'

export type Catalogue = { extractors: Registry; models: Pick<Models, 'describe'> }

/** A namespace as clients see it. */
export function presentNamespace(
  row: NamespaceRow,
  counts: NamespaceCounts,
  { extractors, models }: Catalogue,
): NamespaceModel {
  const listed = JSON.parse(row.feature_extractors) as ListedExtractor[]
  return omitNulls({
    namespace_id: row.namespace_id,
    namespace_name: row.namespace_name,
    namespace_type: row.namespace_type as NamespaceModel['namespace_type'],
    infrastructure: row.infrastructure === null ? null : JSON.parse(row.infrastructure),
    description: row.description,
    feature_extractors: listed.map(withId),
    payload_indexes: [...PROTECTED_INDEXES, ...JSON.parse(row.payload_indexes)],
    ...counts,
    auto_create_indexes: row.auto_create_indexes === 1,
    vector_inference_map: inferenceMap(extractors, models, listed),
    status: row.status as NamespaceModel['status'],
    created_at: row.created_at,
    updated_at: row.updated_at,
  })
}
