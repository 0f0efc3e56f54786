import { parseFileAddress } from '../../core/file-address.ts'
import type { JsonObject, JsonValue } from '../../core/json.ts'
import { type DocumentRecord, documentMembers } from '../../engine/documents/record.ts'
import type { DocumentResponse } from './schemas.ts'
import { selectFields } from './select.ts'

export type Presentation = {
  namespace_id: string
  /** Turns the address of a stored file into a URL that works in a browser; absent: addresses stay. */
  signUrl?: (file_id: string) => string
  /** Vectors by storage name, for documents that have them. */
  vectors?: ReadonlyMap<string, ReadonlyMap<number, Float32Array>>
  select?: readonly string[] | null
}

/** A document as clients see it (contract, documents, shape). */
export function presentDocument(document: DocumentRecord, options: Presentation): DocumentResponse {
  const { namespace_id, signUrl, vectors, select } = options
  const all = documentMembers(document, namespace_id)
  const shown = select && select.length > 0 ? selectFields(all, select) : all
  const members = signUrl ? withUrls(shown as JsonObject, signUrl) : shown
  for (const [storage_name, byDocument] of vectors ?? []) {
    const vector = byDocument.get(document.document_seq)
    if (vector) members[storage_name] = Array.from(vector)
  }
  return members as DocumentResponse
}

/** Blobs get a URL beside their address; other root members become the URL, since browsers show them as they are. */
function withUrls(members: JsonObject, signUrl: (file_id: string) => string): JsonObject {
  const url = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map((item) => (typeof item === 'string' ? url(item) : item))
    const file_id = typeof value === 'string' ? parseFileAddress(value) : null
    return file_id === null ? value : signUrl(file_id)
  }
  const result: JsonObject = {}
  for (const [name, value] of Object.entries(members))
    result[name] = name === '_internal' || name === 'document_blobs' ? value : url(value)
  if (Array.isArray(members.document_blobs))
    result.document_blobs = members.document_blobs.map((entry) => withPresignedUrl(entry as JsonObject, url))
  return result
}

function withPresignedUrl(entry: JsonObject, url: (value: JsonValue) => JsonValue): JsonObject {
  const presigned = url(entry.url ?? null)
  // References to other stores cannot be signed here.
  return typeof presigned === 'string' && /^https?:/i.test(presigned)
    ? { ...entry, presigned_url: presigned }
    : entry
}
