import type { BlobEntry } from '../blob-entry.ts'
import type { JsonObject } from '../json.ts'

/** An object of a bucket as a collection reads it. */
export type ObjectRecord = {
  kind: 'object'
  object_id: string
  bucket_id: string
  key_prefix: string | null
  created_at: string
  /** Root members that the user sent, `metadata` among them. */
  fields: JsonObject
  blobs: readonly BlobEntry[]
}

/** A document of another collection as a collection reads it. */
export type UpstreamDocument = {
  kind: 'document'
  document_id: string
  collection_id: string
  /** Root members without the ids. */
  payload: JsonObject
  /** `_internal`. */
  internal: JsonObject
}

/** One row of a source: what an extractor turns into documents. */
export type SourceRecord = ObjectRecord | UpstreamDocument
