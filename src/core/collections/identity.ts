import { sha256 } from '../ids.ts'
import type { JsonObject, JsonValue } from '../json.ts'

/** What a row of a batch is made from. */
export type RowSource =
  | {
      kind: 'object'
      object_id: string
      bucket_id: string
      batch_id: string
      /** Canonical JSON of the key fields sorted by name; null when the bucket has no unique key. */
      unique_key: string | null
    }
  | {
      kind: 'document'
      document_id: string
      batch_id: string
      /** False for documents made by hand: they have no root object. */
      has_root_object: boolean
      root_bucket_has_unique_key: boolean
      /** Whether an earlier tier of this batch wrote the upstream document. */
      upstream_in_batch: boolean
    }

/**
 * The part of a document id that names its source row. Without a unique key the batch is part of it:
 * running one batch again overwrites its own documents, triggering anew makes new ones.
 */
export function rowKey(source: RowSource): string {
  if (source.kind === 'object') {
    const { bucket_id, object_id, batch_id, unique_key } = source
    return unique_key === null ? object_id + batch_id : bucket_id + unique_key
  }
  const { document_id, batch_id, has_root_object, root_bucket_has_unique_key, upstream_in_batch } = source
  const isSalted = has_root_object && !root_bucket_has_unique_key && !upstream_in_batch
  return isSalted ? document_id + batch_id : document_id
}

export type PositionOptions = {
  /** The extractor's fields that tell documents of one row apart. */
  position_fields: readonly string[]
  /** The input that the document comes from when several are mapped, else null. */
  input_key: string | null
  blob_ordinal: number
}

/** Where in its row a document comes from: position fields in order, then input and ordinal where they say something. */
export function position(
  fields: JsonObject,
  { position_fields, input_key, blob_ordinal }: PositionOptions,
): JsonValue[] {
  const values = position_fields.map((name) => rounded(fields[name] ?? null))
  if (input_key !== null) values.push(input_key)
  if (blob_ordinal !== 0) values.push(blob_ordinal)
  return values
}

/** Times that differ by less than a millisecond are the same place. */
function rounded(value: JsonValue): JsonValue {
  return typeof value === 'number' ? Math.round(value * 1000) / 1000 : value
}

/** The id of a document: equal sources, extractor, collection and position give the equal id. */
export function documentId(
  key: string,
  feature_extractor_id: string,
  collection_id: string,
  pos: readonly JsonValue[],
): string {
  return `doc_${sha256(JSON.stringify([key, feature_extractor_id, collection_id, pos])).slice(0, 24)}`
}
