import type { BlobEntry } from '../../core/blob-entry.ts'
import { sha256 } from '../../core/ids.ts'
import { canonicalJson, type JsonObject } from '../../core/json.ts'
import type { Schema } from '../../platform/db/schema.ts'

/** A row of `objects` with its JSON columns parsed. */
export type StoredObject = {
  object_id: string
  bucket_id: string
  key_prefix: string | null
  status: string
  error: string | null
  size_bytes: number
  created_at: string
  updated_at: string
  unique_key_hash: string | null
  content_hash: string | null
  source_details: { type: string; source_id: string }[]
  /** Root members of the user, `metadata` among them. */
  fields: JsonObject
  blobs: BlobEntry[]
}

export type ObjectRow = Omit<Schema['objects'], 'namespace_id'>

/** Takes the members of an object and leaves what else a query selected. */
export function fromRow(row: ObjectRow): StoredObject {
  return {
    object_id: row.object_id,
    bucket_id: row.bucket_id,
    key_prefix: row.key_prefix,
    status: row.status,
    error: row.error,
    size_bytes: row.size_bytes,
    created_at: row.created_at,
    updated_at: row.updated_at,
    unique_key_hash: row.unique_key_hash,
    content_hash: row.content_hash,
    source_details: JSON.parse(row.source_details),
    fields: JSON.parse(row.fields),
    blobs: JSON.parse(row.blobs),
  }
}

export function toRow({ source_details, fields, blobs, ...object }: StoredObject): ObjectRow {
  return {
    ...object,
    source_details: JSON.stringify(source_details),
    fields: JSON.stringify(fields),
    blobs: JSON.stringify(blobs),
  }
}

/** What counts as the size of an object: its blobs, even when their bytes are shared. */
export const sizeOf = (blobs: readonly BlobEntry[]): number =>
  blobs.reduce((total, { details }) => total + (details.size_bytes ?? 0), 0)

/** Equal for objects with equal content under equal properties; null while some content is unknown. */
export function contentHashOf(blobs: readonly BlobEntry[]): string | null {
  if (blobs.length === 0 || blobs.some(({ details }) => details.hash === null)) return null
  const pairs = blobs.map(({ property, details }) => `${property} ${details.hash}`).sort()
  return sha256(canonicalJson(pairs))
}
