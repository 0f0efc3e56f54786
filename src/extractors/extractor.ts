import type { Static, TObject } from 'typebox'
import type { JsonObject, JsonValue } from '../core/json.ts'
import type { Models, Slot } from '../platform/models/models.ts'

/** Types that a bucket or document field may have, as an extractor input sees them. */
export type InputType = 'string' | 'text' | 'image' | 'audio' | 'video' | 'pdf' | 'excel' | 'json'

/** A mapped input of one row: the text itself, or a file with its bytes on demand. */
export type InputValue =
  | { kind: 'text'; text: string }
  | { kind: 'json'; value: JsonValue }
  | {
      kind: 'file'
      /** The type declared by the schema field, which decides how ambiguous files (GIF) are read. */
      type: InputType
      mime_type: string
      size_bytes: number
      filename: string | null
      /** Whole content; throws a row error when it is over the media limit. */
      bytes(): Promise<Uint8Array>
    }

/** A file that an extractor made (thumbnail, page image); the engine stores it and puts its reference in the document. */
export type GeneratedFile = {
  /** Output field that receives the reference, for example `thumbnail_url`. */
  output_field: string
  /** The role in `document_blobs`, for example `thumbnail`. */
  role: string
  mime_type: string
  bytes: Uint8Array
}

/** One document to be: output fields, vectors by output name, generated files. */
export type Extracted = {
  fields: JsonObject
  vectors: Record<string, Float32Array>
  files?: GeneratedFile[]
  /** Optional features that failed; the document is written without them and the row is also counted as an error. */
  missing?: { feature: string; error: RowError }[]
  /** Goes to `_internal.metadata` of the document. */
  metadata?: JsonObject
}

export type RowErrorType = 'network' | 'resource' | 'dependency' | 'authentication' | 'validation' | 'runtime'

/** A failure of one row. `network` and `resource` are transient and tried again; the rest is final. */
export class RowError extends Error {
  readonly type: RowErrorType
  readonly recovery_suggestion: string | null

  constructor(
    type: RowErrorType,
    message: string,
    options: { cause?: unknown; recovery_suggestion?: string } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'RowError'
    this.type = type
    this.recovery_suggestion = options.recovery_suggestion ?? null
  }

  get isTransient(): boolean {
    return this.type === 'network' || this.type === 'resource'
  }
}

/** A vector that the extractor writes; see the feature URI table of the contract. */
export type VectorOutput = {
  /** Canonical output: the last segment of the feature URI. */
  name: string
  aliases: readonly string[]
  /** The field in documents and exports. */
  storage_name: string
  slot: Slot
  /** The name of the hosted model that clients expect to read. */
  upstream_model: string
  distance: 'cosine'
}

export type ExtractorInput = {
  description: string
  accepts: readonly InputType[]
  required: boolean
}

export type ExtractContext<P> = {
  /** One mapped input by its key; several mapped inputs are several calls. */
  input_key: string
  input: InputValue
  parameters: P
  models: Models
  signal: AbortSignal
}

/** What a feature extractor declares and does. One file and one registry line make a new one. */
export type Extractor<P extends TObject = TObject> = {
  name: string
  version: string
  description: string
  inputs: Record<string, ExtractorInput>
  parameters: P
  /** Rules that a schema cannot say; returns the reason, or null. Called when a collection is saved. */
  check?(
    parameters: Static<P>,
  ): { code: 'invalid_chunk_overlap' | 'invalid_extractor_parameters'; reason: string } | null
  /** Output fields besides vectors that these parameters switch on, with their schema types. */
  output(parameters: Static<P>): Record<string, { type: string; description?: string }>
  /** Vectors that these parameters switch on; the first is the primary one. */
  vectors(parameters: Static<P>): readonly VectorOutput[]
  /** Output fields that tell documents of one row apart, in the order in which they are hashed. */
  position_fields: readonly string[]
  /** `fields` and `vectors` in order; the engine computes the ids. MUST yield in a stable order. */
  extract(context: ExtractContext<Static<P>>): AsyncIterable<Extracted>
  /**
   * Optional: extracts several rows in one go, so that a model sees full batches. Result i belongs to
   * context i: its documents, or the error that fails that row alone.
   */
  extractBatch?(contexts: readonly ExtractContext<Static<P>>[]): Promise<(Extracted[] | RowError)[]>
}

/** Keeps the parameter type of a definition while it is stored as a plain `Extractor`. */
export function defineExtractor<P extends TObject>(extractor: Extractor<P>): Extractor<P> {
  return extractor
}
