import type { JsonObject } from './json.ts'

/** A blob of an object as stored in `objects.blobs`, in the order of the request. */
export type BlobEntry = {
  blob_id: string
  /** The bucket schema field it belongs to. */
  property: string
  /** The declared type of that field (text, image, pdf, …; object or array for inline JSON). */
  type: string
  key_prefix: string | null
  /** What clients see under `properties`: `url`, `text`, members of inline JSON, … */
  properties: JsonObject
  details: {
    filename: string | null
    size_bytes: number | null
    mime_type: string | null
    hash: string | null
  }
  metadata: JsonObject | null
  /** Stored bytes (`files.file_id`), or null for inline JSON and uncopied references. */
  file_id: string | null
  /** Where an uncopied reference is fetched from when it is processed. */
  source_url: string | null
}
