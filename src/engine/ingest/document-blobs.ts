import type { BlobEntry } from '../../core/blob-entry.ts'
import type { MappedInput } from '../../core/collections/mapping.ts'
import { fileAddress, parseFileAddress } from '../../core/file-address.ts'
import { type JsonObject, type JsonValue, omitNulls } from '../../core/json.ts'
import type { GeneratedFile } from '../../extractors/extractor.ts'
import type { StagedFile } from '../../platform/files/files.ts'
import type { SourceRow } from './rows.ts'

const TYPES = ['video', 'image', 'audio', 'text', 'pdf']

/** The entry of a file that the extractor made. */
export function generatedBlob(file: GeneratedFile, stored: StagedFile, created_at: string): JsonObject {
  return {
    field: file.role,
    role: file.role.includes('thumbnail') ? 'thumbnail' : 'processed',
    type: typeOf(file.mime_type.split('/')[0]!),
    url: fileAddress(stored.file_id),
    size_bytes: stored.size_bytes,
    content_type: stored.mime_type,
    checksum: stored.sha256,
    created_at,
  }
}

/** Files of the object that the document was made from: the mapped one, or all where the record is taken as it is. */
export function sourceBlobs({ record }: SourceRow, { value, input_key }: MappedInput): JsonObject[] {
  if (record.kind !== 'object') return []
  if (value.kind === 'blob') return sourceBlob(value.blob)
  return input_key === '' ? record.blobs.flatMap(sourceBlob) : []
}

function sourceBlob({ blob_id, property, type, properties, details }: BlobEntry): JsonObject[] {
  if (typeof properties.url !== 'string') return []
  return [
    omitNulls({
      field: property,
      role: 'source',
      type: typeOf(type),
      url: properties.url,
      filename: details.filename,
      size_bytes: details.size_bytes,
      content_type: details.mime_type,
      checksum: details.hash,
      source_blob_id: blob_id,
    }),
  ]
}

/** Files of the upstream document that the new one shows too, because a field with their address was passed on. */
export function keptBlobs({ document_blobs }: SourceRow, payload: JsonObject): JsonObject[] {
  if (document_blobs.length === 0) return []
  const shown = new Set(addresses(payload))
  return document_blobs.filter(({ url }) => typeof url === 'string' && shown.has(url))
}

function addresses(value: JsonValue): string[] {
  if (typeof value === 'string') return parseFileAddress(value) === null ? [] : [value]
  if (value === null || typeof value !== 'object') return []
  return Object.values(value).flatMap(addresses)
}

const typeOf = (type: string) => (TYPES.includes(type) ? type : 'other')
