import type { BlobEntry } from '../../src/core/blob-entry.ts'

/** A blob of an object, without bytes unless told otherwise. */
export function makeBlob(property: string, type: string, more: Partial<BlobEntry> = {}): BlobEntry {
  return {
    blob_id: `blob_${property}`,
    property,
    type,
    key_prefix: null,
    properties: {},
    details: { filename: null, size_bytes: null, mime_type: null, hash: null },
    metadata: null,
    file_id: null,
    source_url: null,
    ...more,
  }
}
