/**
 * The port to machine learning models. Extractors, retrievers and inference know only slots;
 * which provider serves a slot is configuration. A provider MUST be deterministic for equal
 * input, MUST return vectors of exactly `dimensions` finite numbers, and MUST stop soon after
 * `signal` aborts.
 */
export type Slot =
  | 'text'
  | 'image'
  | 'multimodal'
  | 'code'
  | 'structure'
  | 'face'
  | 'audio'
  | 'asr'
  | 'ocr'
  | 'vlm'
  | 'llm'
  | 'classifier'
  | 'layout'
  | 'rerank'

/** What an embedding model reads. */
export type Modality = 'text' | 'image' | 'audio' | 'video'

export type ModelDescription = {
  /** Stable name of what really runs, for example `kura/all-minilm-l6-v2-int8`. */
  id: string
  slot: Slot
  dimensions: number
  modalities: readonly Modality[]
  /** False for weightless built-ins: likeness of form, not of meaning. */
  semantic: boolean
  max_tokens: number | null
  /** Changes whenever equal input could give another vector. Vectors of two fingerprints never share an index. */
  fingerprint: string
}

/** An image is encoded bytes (JPEG, PNG, ...); whoever serves the slot decodes it. */
export type EmbeddingInput = { text: string } | { image: Uint8Array }

export type EmbeddingModel = {
  readonly description: ModelDescription
  /**
   * One L2-normalized vector per input, in order. `purpose` selects the model's query or passage side.
   * Throws KuraError `modality_not_supported` for an input the model cannot read.
   */
  embed(
    inputs: readonly EmbeddingInput[],
    options: { purpose: 'query' | 'document'; signal?: AbortSignal },
  ): Promise<Float32Array[]>
  /** Whether `embed` cuts this text at `max_tokens`. Absent: the model cannot tell. */
  truncates?(text: string): boolean
}

export type Models = {
  /** What is bound to a slot without loading it; undefined when nothing is. */
  describe(slot: Slot): ModelDescription | undefined
  /** Loads once, then returns the same model. Throws `inference_provider_not_configured`. */
  embedding(slot: Slot): Promise<EmbeddingModel>
  close(): Promise<void>
}
