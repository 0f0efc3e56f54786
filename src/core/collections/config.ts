import type { BucketSchema, BucketSchemaField } from '../bucket-schema.ts'
import type { JsonObject, JsonValue } from '../json.ts'

/** Fields that a collection reads or writes, in the form of a bucket schema. */
export type FieldsSchema = BucketSchema
export type FieldSchema = BucketSchemaField

/** Where the value of an extractor input comes from; the canonical form of `input_mappings`. */
export type InputMapping =
  | { input_key: string; source_type: 'payload'; path: string }
  | { input_key: string; source_type: 'literal'; override: JsonValue }
  | { input_key: string; source_type: 'vector'; path: string }

export type FieldPassthrough = {
  source_path: string
  target_path?: string | null
  default?: JsonValue
  required: boolean
}

export type CollectionSource = {
  type: 'bucket' | 'collection'
  /** Sources of type `bucket`. */
  bucket_ids?: string[]
  /** Sources of type `collection`, whichever member the client used. */
  collection_ids?: string[]
  source_filters?: JsonObject | null
}

/** A vector index of a collection as clients see it; `index.name` is the storage name. */
export type VectorIndexDefinition = {
  feature_uri: string
  /** The output: last segment of the feature URI. */
  name: string
  description: string
  type: 'single'
  index: {
    name: string
    description: string
    dimensions: number | null
    type: 'dense'
    distance: string
    datatype: 'float32'
    supported_inputs: string[]
    inference_name: string
    inference_service_id: string
    purpose?: string
  }
}

export type FeatureExtractorConfig = {
  feature_extractor_name: string
  version: string
  /** `{name}_{version}`, part of every document id. */
  feature_extractor_id: string
  /** With defaults filled in, and always with `extractor_type`. */
  parameters: JsonObject
  input_mappings: InputMapping[]
  field_passthrough: FieldPassthrough[]
  include_all_source_fields: boolean
}

/**
 * All that is needed to run a collection. A batch keeps a copy from the moment it was submitted, so
 * that changing a collection does not change a running batch; it therefore MUST survive JSON.
 */
export type CollectionConfig = {
  collection_id: string
  collection_name: string
  namespace_id: string
  source: CollectionSource
  feature_extractor: FeatureExtractorConfig
  input_schema: FieldsSchema
  output_schema: FieldsSchema
  vector_indexes: VectorIndexDefinition[]
  schema_version: number
}

/** What a collection must know of an extractor to check mappings against it. */
export type ExtractorShape = {
  name: string
  /** Empty: the extractor takes the record as it is, whatever inputs are mapped. */
  inputs: Record<string, { accepts: readonly string[]; required: boolean }>
}

/** The extractor that copies; for it an empty `field_passthrough` means everything. */
export const PASSTHROUGH_EXTRACTOR = 'passthrough_extractor'
