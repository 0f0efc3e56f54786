import { hash } from 'node:crypto'
import type { EmbeddingInput, EmbeddingModel } from './models.ts'

export const CACHE_BYTES_DEFAULT = 32 * 1024 * 1024
/** Key, map entry and object headers, on top of the numbers. */
const ENTRY_OVERHEAD_BYTES = 300

/** Vectors of recent inputs by (fingerprint, purpose, content hash): the least recently used go when `bytes_max` is reached. */
export class EmbeddingCache {
  readonly #bytesMax: number
  readonly #vectors = new Map<string, Float32Array>()
  #bytes = 0

  constructor({ bytes_max }: { bytes_max: number }) {
    this.#bytesMax = bytes_max
  }

  get size_bytes(): number {
    return this.#bytes
  }

  /** A copy: what a caller does to its vector, or moves to another thread, is not the cache's. */
  get(key: string): Float32Array | undefined {
    const vector = this.#vectors.get(key)
    if (!vector) return undefined
    this.#vectors.delete(key)
    this.#vectors.set(key, vector)
    return vector.slice()
  }

  set(key: string, vector: Float32Array): void {
    if (this.#vectors.has(key) || cost(vector) > this.#bytesMax) return
    this.#vectors.set(key, vector.slice())
    this.#bytes += cost(vector)
    for (const [oldest, dropped] of this.#vectors) {
      if (this.#bytes <= this.#bytesMax) return
      this.#vectors.delete(oldest)
      this.#bytes -= cost(dropped)
    }
  }
}

const cost = (vector: Float32Array) => vector.byteLength + ENTRY_OVERHEAD_BYTES

/**
 * Answers queries from the cache. Documents go past it: they hardly ever repeat, and would push out the
 * queries, which do.
 */
export function withQueryCache(model: EmbeddingModel, cache: EmbeddingCache): EmbeddingModel {
  const { fingerprint } = model.description
  return {
    description: model.description,
    truncates: model.truncates?.bind(model),
    async embed(inputs, options) {
      if (options.purpose !== 'query') return model.embed(inputs, options)
      options.signal?.throwIfAborted()
      const keys = inputs.map((input) => `${fingerprint}/${options.purpose}/${contentHash(input)}`)
      const vectors = keys.map((key) => cache.get(key))
      const missing = inputs.filter((_, i) => !vectors[i])
      const computed = missing.length > 0 ? await model.embed(missing, options) : []
      let next = 0
      return vectors.map((vector, i) => {
        if (vector) return vector
        const fresh = computed[next++]!
        cache.set(keys[i]!, fresh)
        return fresh
      })
    },
  }
}

const contentHash = (input: EmbeddingInput) =>
  'text' in input ? `text-${hash('sha256', input.text)}` : `image-${hash('sha256', input.image)}`
