import type { SentError } from '../../../core/sent-error.ts'
import type { EmbeddingInput, Slot } from '../models.ts'
import type { SlotOptions } from '../slots.ts'

/** A use of a model. `fingerprint` is what the caller takes it for: vectors of another must never reach an index. */
export type Work = { slot: Slot; fingerprint: string } & (
  | { type: 'load' }
  | { type: 'embed'; purpose: 'query' | 'document'; inputs: readonly EmbeddingInput[] }
)

export type Request =
  | { type: 'start'; options: SlotOptions }
  | { type: 'cancel'; id: number }
  | { type: 'work'; id: number; work: Work }

export type Reply = { id: number; vectors: Float32Array[] } | { id: number; error: SentError }
