import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { slot, Templates } from '../../platform/db/templates.ts'
import { inParts } from '../../platform/derived-index/parts.ts'

/** An entry of `document_blobs`: a file that a document shows, of its source or made from it. */
export type DocumentBlob = JsonObject & { field: string; url: string }

/** A document as stored, parsed. */
export type DocumentRecord = {
  /** The key of its vectors and texts. */
  document_seq: number
  document_id: string
  collection_id: string
  root_object_id: string | null
  root_bucket_id: string | null
  source_document_id: string | null
  created_at: string
  updated_at: string
  /** Root members: user, passthrough, extractor and enrichment fields, `__*` flags among them. */
  payload: JsonObject
  /** `_internal`, without what the columns hold. */
  internal: JsonObject
  document_blobs: DocumentBlob[]
}

export type DocumentRow = Omit<DocumentRecord, 'payload' | 'internal' | 'document_blobs'> & {
  payload: string
  internal: string
  document_blobs: string
}

export const DOCUMENT_COLUMNS = [
  'document_seq',
  'document_id',
  'collection_id',
  'root_object_id',
  'root_bucket_id',
  'source_document_id',
  'created_at',
  'updated_at',
  'payload',
  'internal',
  'document_blobs',
] as const

export function toDocument(row: DocumentRow): DocumentRecord {
  return {
    ...row,
    payload: JSON.parse(row.payload),
    internal: JSON.parse(row.internal),
    document_blobs: JSON.parse(row.document_blobs),
  }
}

/** The documents with these ids or numbers that exist in the scope, in the order asked for. */
export async function readDocuments(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  wanted: { document_ids: readonly string[] } | { document_seqs: readonly number[] },
): Promise<DocumentRecord[]> {
  const [column, keys] =
    'document_ids' in wanted
      ? (['document_id', wanted.document_ids] as const)
      : (['document_seq', wanted.document_seqs] as const)
  const found = new Map<string | number, DocumentRecord>()
  for (const part of inParts<string | number>(keys)) {
    const rows = await readPart(db, namespaceId, column, part)
    for (const row of rows) found.set(row[column], toDocument(row))
  }
  return keys.flatMap((key) => found.get(key) ?? [])
}

/** Pages are read again and again: up to this many keys the statement is built once a length. */
const TEMPLATE_KEYS_MAX = 100
const templates = new Templates()

function readPart(
  db: DbOrTrx,
  namespaceId: string,
  column: 'document_id' | 'document_seq',
  keys: readonly (string | number)[],
): Promise<DocumentRow[]> {
  const query = db.selectFrom('documents').select(DOCUMENT_COLUMNS)
  if (keys.length > TEMPLATE_KEYS_MAX)
    return query
      .where('namespace_id', '=', namespaceId)
      .where(column, 'in', keys as never)
      .execute()
  const values = Object.fromEntries(keys.map((key, i) => [`key_${i}`, key]))
  const shape = `${dialect(db)} ${column} ${keys.length}`
  return templates.run<DocumentRow>(db, shape, { namespaceId, ...values }, () =>
    query
      .where('namespace_id', '=', slot<string>('namespaceId'))
      .where(column, 'in', Object.keys(values).map((name) => slot(name)) as never)
      .compile(),
  )
}

/** A document as filters, sorts, projections and templates see it: root members, ids and `_internal`. */
export function documentMembers(document: DocumentRecord, namespace_id: string): JsonObject {
  const { document_id, collection_id, payload, document_blobs } = document
  return {
    ...payload,
    document_id,
    collection_id,
    document_blobs,
    _internal: internalOf(document, namespace_id),
  }
}

/** `_internal` with the ids and instants that columns hold. */
export function internalOf(document: DocumentRecord, namespace_id: string): JsonObject {
  const { internal, document_id, collection_id, created_at, updated_at } = document
  return { ...internal, namespace_id, document_id, collection_id, created_at, updated_at }
}
