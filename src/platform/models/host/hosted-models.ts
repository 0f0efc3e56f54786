import { KuraError } from '../../../core/errors.ts'
import type { EmbeddingModel, ModelDescription, Models, Slot } from '../models.ts'
import type { Bindings } from '../slots.ts'
import type { ModelHost } from './model-host.ts'

/** Inputs of one message: what is aborted or lost is small, and queries get in between. */
const MESSAGE_INPUTS_MAX = 32

/** Models that run in the child process of a ModelHost. Here they are only described. */
export class HostedModels implements Models {
  readonly #bindings: Bindings
  readonly #host: ModelHost

  constructor(bindings: Bindings, host: ModelHost) {
    this.#bindings = bindings
    this.#host = host
  }

  describe(slot: Slot): ModelDescription | undefined {
    return this.#bindings.get(slot)?.describe()
  }

  async embedding(slot: Slot): Promise<EmbeddingModel> {
    const description = this.describe(slot)
    if (!description) throw new KuraError('inference_provider_not_configured', { slot })
    return hostedModel(description, this.#host)
  }

  /** Starts the child and loads the model there. */
  async load(slot: Slot): Promise<void> {
    const { description } = await this.embedding(slot)
    await this.#host.request({ type: 'load', slot, fingerprint: description.fingerprint })
  }

  close(): Promise<void> {
    return this.#host.close()
  }
}

function hostedModel(description: ModelDescription, host: ModelHost): EmbeddingModel {
  const { slot, fingerprint } = description
  return {
    description,
    async embed(inputs, { purpose, signal }) {
      const vectors: Float32Array[] = []
      for (let start = 0; start < inputs.length; start += MESSAGE_INPUTS_MAX) {
        const part = inputs.slice(start, start + MESSAGE_INPUTS_MAX)
        vectors.push(
          ...(await host.request({ type: 'embed', slot, fingerprint, purpose, inputs: part }, signal)),
        )
      }
      return vectors
    },
  }
}
