import { HostedModels } from './host/hosted-models.ts'
import { ModelHost } from './host/model-host.ts'
import { LocalModels } from './local-models.ts'
import type { EmbeddingModel, ModelDescription, Models, Slot } from './models.ts'
import { CACHE_BYTES_DEFAULT, EmbeddingCache, withQueryCache } from './query-cache.ts'
import { bindSlots, type SlotOptions } from './slots.ts'

export type ModelsOptions = SlotOptions & {
  /**
   * `in_process`: models compute on the calling thread, for engine processes. `child`: in a process of
   * their own, for the API process, whose event loop must stay free.
   */
  run: 'in_process' | 'child'
  /** Memory for the vectors of recent queries. */
  cache_bytes?: number
  logger?: { warn(facts: Record<string, unknown>, message: string): void }
}

/** Models that can also be loaded ahead of their first use. */
export type WarmableModels = Models & { warm(slot: Slot): Promise<void> }

/**
 * Binds the slots. Nothing is loaded and no process started before a model is used or warmed; it takes
 * 1 ms. Throws `config_invalid` or `model_damaged` for a text model that does not exist or is incomplete.
 */
export function createModels(options: ModelsOptions): WarmableModels {
  const { run, cache_bytes = CACHE_BYTES_DEFAULT, logger, ...slotOptions } = options
  const bindings = bindSlots(slotOptions)
  const cache = new EmbeddingCache({ bytes_max: cache_bytes })
  if (run === 'in_process') {
    const models = new LocalModels(bindings)
    return new CachedModels(models, cache, async (slot) => {
      await models.embedding(slot)
    })
  }
  const models = new HostedModels(bindings, new ModelHost({ options: slotOptions, logger }))
  return new CachedModels(models, cache, (slot) => models.load(slot))
}

class CachedModels implements WarmableModels {
  readonly #models: Models
  readonly #cache: EmbeddingCache
  readonly #load: (slot: Slot) => Promise<void>

  constructor(models: Models, cache: EmbeddingCache, load: (slot: Slot) => Promise<void>) {
    this.#models = models
    this.#cache = cache
    this.#load = load
  }

  describe(slot: Slot): ModelDescription | undefined {
    return this.#models.describe(slot)
  }

  async embedding(slot: Slot): Promise<EmbeddingModel> {
    return withQueryCache(await this.#models.embedding(slot), this.#cache)
  }

  warm(slot: Slot): Promise<void> {
    return this.#load(slot)
  }

  close(): Promise<void> {
    return this.#models.close()
  }
}
