import { KuraError } from '../../core/errors.ts'
import type { EmbeddingModel, ModelDescription, Models, Slot } from './models.ts'
import type { Binding, Bindings } from './slots.ts'

type Loaded = Awaited<ReturnType<Binding['load']>>

/** Models that run in this process. Each is loaded by its first use; a failed load is tried again by the next. */
export class LocalModels implements Models {
  readonly #bindings: Bindings
  readonly #loading = new Map<Slot, Promise<Loaded>>()

  constructor(bindings: Bindings) {
    this.#bindings = bindings
  }

  describe(slot: Slot): ModelDescription | undefined {
    return this.#bindings.get(slot)?.describe()
  }

  async embedding(slot: Slot): Promise<EmbeddingModel> {
    const binding = this.#bindings.get(slot)
    if (!binding) throw new KuraError('inference_provider_not_configured', { slot })
    let loading = this.#loading.get(slot)
    if (!loading) {
      loading = binding.load()
      this.#loading.set(slot, loading)
      loading.catch(() => this.#loading.delete(slot))
    }
    return loading
  }

  async close(): Promise<void> {
    const loading = [...this.#loading.values()]
    this.#loading.clear()
    for (const result of await Promise.allSettled(loading))
      if (result.status === 'fulfilled') await result.value.close?.()
  }
}
