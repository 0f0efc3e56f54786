import type { FilterNode } from '../../core/filters/ast.ts'
import type { Scope } from '../../core/scope.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { documentFilterTarget } from '../documents/filter-target.ts'

/** The documents of these collections (all of the namespace when null) that pass the filter, as a query to select from. */
export function matchingDocuments(
  db: DbOrTrx,
  { namespaceId }: Scope,
  filter: FilterNode | null,
  collection_ids: readonly string[] | null,
  indexed_fields?: ReadonlySet<string>,
) {
  let query = db.selectFrom('documents').where('namespace_id', '=', namespaceId)
  if (collection_ids) query = query.where('collection_id', 'in', [...collection_ids])
  return filter
    ? query.where(compileFilter(filter, documentFilterTarget(dialect(db), indexed_fields)))
    : query
}
