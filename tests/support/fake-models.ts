import { createHash } from 'node:crypto'
import { KuraError } from '../../src/core/errors.ts'
import type { EmbeddingInput, EmbeddingModel, Models, Slot } from '../../src/platform/models/models.ts'

export type FakeModels = Models & {
  /** Inputs of every `embed` call, in order. */
  calls: EmbeddingInput[][]
}

type Options = {
  /** Slots that have a model; the rest is not configured. */
  slots?: readonly Slot[]
  dimensions?: number
  max_tokens?: number
  /** Called for every input before it is embedded; what it throws fails the call. */
  onInput?: (input: EmbeddingInput) => void
}

/** Models whose vectors are hashes: deterministic, equal for equal input only, without meaning. */
export function fakeModels(options: Options = {}): FakeModels {
  const { slots = ['text', 'image'], dimensions = 8, max_tokens, onInput } = options
  const calls: EmbeddingInput[][] = []
  const describe = (slot: Slot) =>
    slots.includes(slot)
      ? {
          id: `fake/${slot}`,
          slot,
          dimensions,
          modalities: [slot === 'image' ? ('image' as const) : ('text' as const)],
          semantic: false,
          max_tokens: max_tokens ?? null,
          fingerprint: `fake-${slot}-${dimensions}`,
        }
      : undefined
  return {
    calls,
    describe,
    async embedding(slot) {
      const description = describe(slot)
      if (!description) throw new KuraError('inference_provider_not_configured', { slot })
      const model: EmbeddingModel = {
        description,
        async embed(inputs, { signal }) {
          signal?.throwIfAborted()
          calls.push([...inputs])
          return inputs.map((input) => {
            onInput?.(input)
            return hashVector(input, dimensions)
          })
        },
      }
      if (max_tokens) model.truncates = (text) => text.split(/\s+/).length > max_tokens
      return model
    },
    close: async () => undefined,
  }
}

function hashVector(input: EmbeddingInput, dimensions: number): Float32Array {
  const digest = createHash('shake256', { outputLength: dimensions })
    .update('text' in input ? input.text : input.image)
    .digest()
  const vector = Float32Array.from(digest, (byte) => byte - 127.5)
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}
