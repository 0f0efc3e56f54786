import { ERRORS, type ErrorCode } from '../../../core/error-table.ts'
import { KuraError } from '../../../core/errors.ts'
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

/** An error as it crosses the border between processes, where classes are lost. */
export type SentError = { code?: string; details?: Record<string, unknown>; message: string; stack?: string }

export function packError(error: unknown): SentError {
  if (error instanceof KuraError)
    return { code: error.code, details: error.details, message: error.message, stack: error.stack }
  if (error instanceof Error) return { message: error.message, stack: error.stack }
  return { message: String(error) }
}

/** What was raised on purpose keeps its code; anything else is a fault of the model process. */
export function unpackError({ code, details, message, stack }: SentError): KuraError {
  if (code !== undefined && code in ERRORS) return new KuraError(code as ErrorCode, details, { message })
  const cause = new Error(message)
  if (stack !== undefined) cause.stack = stack
  return new KuraError('inference_failed', {}, { cause })
}
