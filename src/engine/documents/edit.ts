import { KuraError, valueError } from '../../core/errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { DocumentBlob, DocumentRecord } from './record.ts'

/** What an edit can change of a document. */
export type DocumentContent = Pick<DocumentRecord, 'payload' | 'internal' | 'document_blobs'>

type Context = {
  /** Storage names of the collection's vectors, which no edit may name. */
  vector_names: readonly string[]
  namespace_id: string
}

/** Members of a request that are written to `_internal.lineage`, and their names there. */
const LINEAGE: Readonly<Record<string, string>> = {
  root_object_id: 'root_object_id',
  root_bucket_id: 'root_bucket_id',
  source_type: 'source_type',
  source_object_id: 'source_object_id',
  source_document_id: 'source_document_id',
  source_collection_id: 'source_collection_id',
  lineage_path: 'path',
  lineage_chain: 'chain',
  processing_tier: 'processing_tier',
}

/** The document after a PATCH: objects merge at every depth, lists are replaced, null is stored, dotted keys reach inside. */
export function patchedDocument(
  document: DocumentRecord,
  patch: JsonObject,
  context: Context,
): DocumentContent {
  return applied(document, document.payload, patch, context)
}

/** The document after a PUT: the given fields are all that it has; what the system knows of it stays. */
export function replacedDocument(
  document: DocumentRecord,
  fields: JsonObject,
  context: Context,
): DocumentContent {
  const flags = Object.entries(document.payload).filter(([name]) => name.startsWith('__'))
  return applied(document, Object.fromEntries(flags), fields, context)
}

function applied(
  document: DocumentRecord,
  start: JsonObject,
  fields: JsonObject,
  context: Context,
): DocumentContent {
  // Copies: the document may be shown to others.
  const payload = structuredClone(start)
  const internal = structuredClone(document.internal)
  let document_blobs = document.document_blobs
  for (const [key, value] of Object.entries(fields)) {
    const [head, ...rest] = key.split('.') as [string, ...string[]]
    if (context.vector_names.includes(head))
      throw new KuraError('vector_update_not_supported', { field: head })
    if (head === 'document_id' || head === 'collection_id') requireSame(key, value, document[head])
    else if (head === '_internal') mergeInternal(internal, nested(rest, value), document, context)
    else if (head === 'document_blobs') document_blobs = blobsOf(value)
    else if (head === 'source_blobs') internal.source_blobs = value
    else if (head === 'internal_metadata') mergeAt(internal, ['metadata', ...rest], value)
    else if (rest.length === 0 && Object.hasOwn(LINEAGE, head))
      mergeAt(internal, ['lineage', LINEAGE[head]!], value)
    else mergeAt(payload, [head, ...rest], value)
  }
  return { payload, internal, document_blobs }
}

/** Ids and the time of creation may be sent back, as clients do that write what they read, but not changed. */
function mergeInternal(
  internal: JsonObject,
  change: JsonValue,
  document: DocumentRecord,
  { namespace_id }: Context,
): void {
  if (change === null) return
  if (!isObject(change))
    throw valueError(['body', '_internal'], 'Input should be a valid dictionary', 'dict_type')
  const { document_id, collection_id, created_at } = document
  const fixed: JsonObject = {
    document_id,
    collection_id,
    created_at,
    namespace_id,
    internal_id: internal.internal_id ?? null,
  }
  for (const [name, value] of Object.entries(change as JsonObject)) {
    if (Object.hasOwn(fixed, name)) requireSame(`_internal.${name}`, value, fixed[name]!)
    else if (name !== 'updated_at') mergeAt(internal, [name], value)
  }
}

function requireSame(field: string, sent: JsonValue, current: JsonValue): void {
  if (sent !== null && sent !== current) throw new KuraError('immutable_field', { field })
}

/** `nested(['a', 'b'], 1)` is `{a: {b: 1}}`. */
const nested = (path: readonly string[], value: JsonValue): JsonValue =>
  path.reduceRight<JsonValue>((inner, name) => ({ [name]: inner }), value)

function mergeAt(target: JsonObject, [head, ...rest]: readonly string[], value: JsonValue): void {
  if (head === undefined) return
  const current = target[head]
  if (rest.length > 0) {
    const inner: JsonObject = isObject(current) ? (current as JsonObject) : {}
    target[head] = inner
    mergeAt(inner, rest, value)
  } else if (isObject(current) && isObject(value)) {
    for (const [name, member] of Object.entries(value as JsonObject))
      mergeAt(current as JsonObject, [name], member)
  } else target[head] = value
}

/** Links that were signed for a reader are not part of a blob. */
function blobsOf(value: JsonValue): DocumentBlob[] {
  const isList =
    Array.isArray(value) && value.every((entry) => isObject(entry) && isBlob(entry as JsonObject))
  if (!isList)
    throw valueError(
      ['body', 'document_blobs'],
      'Input should be a list of blobs with "field", "url", "role" and "type"',
    )
  return (value as JsonObject[]).map(({ presigned_url: _signed, ...entry }) => ({
    role: 'source',
    type: 'other',
    ...entry,
  })) as unknown as DocumentBlob[]
}

const ROLES = ['source', 'processed', 'thumbnail', 'artifact', 'aux']
const TYPES = ['video', 'image', 'audio', 'text', 'pdf', 'other']

/** Other roles and types would break clients that parse them as closed enums. */
function isBlob({ field, url, role = 'source', type = 'other' }: JsonObject): boolean {
  return (
    typeof field === 'string' &&
    field !== '' &&
    typeof url === 'string' &&
    url !== '' &&
    ROLES.includes(role as string) &&
    TYPES.includes(type as string)
  )
}
