import { documentField } from '../../core/filters/document-fields.ts'
import type { Path } from '../../core/filters/path.ts'
import type { Dialect } from '../../platform/db/db.ts'
import type { ColumnType, FieldSource, FilterTarget } from '../../platform/db/filters/target.ts'

/** Places of a document that are columns of their own. */
const COLUMNS: Readonly<Record<string, { column: string; type: ColumnType; required: boolean }>> = {
  document_id: { column: 'documents.document_id', type: 'text', required: true },
  collection_id: { column: 'documents.collection_id', type: 'text', required: true },
  '_internal.document_id': { column: 'documents.document_id', type: 'text', required: true },
  '_internal.collection_id': { column: 'documents.collection_id', type: 'text', required: true },
  '_internal.namespace_id': { column: 'documents.namespace_id', type: 'text', required: true },
  '_internal.created_at': { column: 'documents.created_at', type: 'instant', required: true },
  '_internal.updated_at': { column: 'documents.updated_at', type: 'instant', required: true },
  '_internal.lineage.root_object_id': { column: 'documents.root_object_id', type: 'text', required: false },
  '_internal.lineage.root_bucket_id': { column: 'documents.root_bucket_id', type: 'text', required: false },
  '_internal.lineage.source_document_id': {
    column: 'documents.source_document_id',
    type: 'text',
    required: false,
  },
}

/**
 * How fields of documents are found in the table `documents`: as in `documentField`, so that SQL and
 * a filter evaluated on `documentMembers` agree.
 */
export function documentFilterTarget(dialect: Dialect, indexed_fields?: ReadonlySet<string>): FilterTarget {
  return {
    dialect,
    field_paths: documentField,
    locate,
    ...(indexed_fields && { indexed_fields }),
  }
}

function locate(path: Path): FieldSource {
  const name = path.every((step) => typeof step === 'string') ? path.join('.') : ''
  if (Object.hasOwn(COLUMNS, name)) return { kind: 'column', ...COLUMNS[name]! }
  const [head, ...rest] = path
  if (head === '_internal') return { kind: 'json', column: 'documents.internal', path: rest, is_object: true }
  if (head === 'document_blobs') return { kind: 'json', column: 'documents.document_blobs', path: rest }
  return { kind: 'json', column: 'documents.payload', path, is_object: true }
}
