import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EmbeddingInput, EmbeddingModel, Models, Slot } from '../platform/models/models.ts'
import type { RowError } from './extractor.ts'
import { concernsEveryRow, toRowError } from './row-errors.ts'

/** Fills the batch of a model, yet a canceled job stops within one call. */
export const EMBED_BATCH_MAX = 32

/** The model of a slot, or the error that fails every row that needs it. */
export async function loadModel(models: Models, slot: Slot): Promise<EmbeddingModel | RowError> {
  try {
    return await models.embedding(slot)
  } catch (error) {
    return toRowError(error)
  }
}

/**
 * One vector or error per input, in order, in full batches. An input that the model cannot take fails
 * alone: its batch is done again one by one. Throws only when `signal` aborts.
 */
export async function embedAll(
  model: EmbeddingModel,
  inputs: readonly EmbeddingInput[],
  signal: AbortSignal,
): Promise<(Float32Array | RowError)[]> {
  const results: (Float32Array | RowError)[] = []
  for (let start = 0; start < inputs.length; start += EMBED_BATCH_MAX)
    results.push(...(await embedBatch(model, inputs.slice(start, start + EMBED_BATCH_MAX), signal)))
  return results
}

async function embedBatch(
  model: EmbeddingModel,
  inputs: readonly EmbeddingInput[],
  signal: AbortSignal,
): Promise<(Float32Array | RowError)[]> {
  // A model that needs no other thread would keep timers from running, and with them every cancellation.
  await nextTurn()
  signal.throwIfAborted()
  try {
    return await model.embed(inputs, { purpose: 'document', signal })
  } catch (cause) {
    signal.throwIfAborted()
    const error = toRowError(cause)
    if (inputs.length === 1 || concernsEveryRow(error)) return inputs.map(() => error)
    const alone: (Float32Array | RowError)[] = []
    for (const input of inputs) alone.push(...(await embedBatch(model, [input], signal)))
    return alone
  }
}
