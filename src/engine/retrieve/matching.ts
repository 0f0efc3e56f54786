import type { FilterNode } from '../../core/filters/ast.ts'
import type { Scope } from '../../core/scope.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { isOneOf, numberList } from '../../platform/db/number-list.ts'
import { slot, Templates } from '../../platform/db/templates.ts'
import { documentFilterTarget } from '../documents/filter-target.ts'

/** The documents of these collections (all of the namespace when null) that pass the filter, as a query to select from. */
export function matchingDocuments(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
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

const templates = new Templates()

/**
 * Those of the given documents that pass. A filtered search asks this several times a run: the
 * statement is built once a filter, since building it takes longer than running it.
 */
export async function passingDocuments(
  db: DbOrTrx,
  { namespaceId }: Scope,
  filter: FilterNode,
  collection_ids: readonly string[] | null,
  document_seqs: readonly number[],
): Promise<number[]> {
  const shape = JSON.stringify([dialect(db), filter, collection_ids])
  const values = { namespaceId, document_seqs: numberList(db, document_seqs) }
  const rows = await templates.run<{ document_seq: number }>(db, shape, values, () => {
    return matchingDocuments(db, { namespaceId: slot<string>('namespaceId') }, filter, collection_ids)
      .select('document_seq')
      .where(isOneOf(db, 'documents.document_seq', slot('document_seqs')))
      .compile()
  })
  return rows.map((row) => row.document_seq)
}
