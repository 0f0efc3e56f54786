import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { KuraError } from '../../core/errors.ts'
import { HASH_TEXT, hashTextModel } from './hash-text-model.ts'
import { ModelDirectory } from './model-directory.ts'
import type { EmbeddingModel, ModelDescription, Slot } from './models.ts'
import { describeTextModel, OnnxTextModel } from './onnx-text-model.ts'
import { VISUAL, visualModel } from './visual-model.ts'

/** The models that come with Kura. */
export const SHIPPED_MODELS_PATH = fileURLToPath(new URL('../../../models/', import.meta.url))
export const DEFAULT_TEXT_MODEL = 'all-minilm-l6-v2'
/** The setting that binds the weightless text model. */
export const HASH = 'hash'

export type SlotOptions = {
  /** A folder of model directories, looked into before those that come with Kura. */
  models_path?: string | undefined
  /** Model of the `text` slot: a directory name, a path, or `hash`. */
  text_model?: string | undefined
  /** Threads of one network. One is best where several processes share the processor. */
  threads?: number | undefined
}

/** What serves a slot: said at once, loaded when asked. */
export type Binding = {
  describe(): ModelDescription
  load(): Promise<EmbeddingModel & { close?(): Promise<void> }>
}

export type Bindings = ReadonlyMap<Slot, Binding>

/**
 * Binds slots to what the settings name, reading no more than `model.json`. Throws `config_invalid` for
 * a model that does not exist: silently taking another would mix up vectors.
 */
export function bindSlots(options: SlotOptions): Bindings {
  return new Map<Slot, Binding>([
    ['text', bindText(options)],
    ['image', { describe: () => VISUAL, load: async () => visualModel }],
  ])
}

function bindText({ models_path, text_model = DEFAULT_TEXT_MODEL, threads = 1 }: SlotOptions): Binding {
  if (text_model === HASH) return { describe: () => HASH_TEXT, load: async () => hashTextModel }
  const directory = ModelDirectory.open(findDirectory(text_model, models_path))
  return {
    describe: () => describeTextModel(directory),
    load: () => OnnxTextModel.load(directory, { threads }),
  }
}

function findDirectory(name: string, models_path: string | undefined): string {
  const roots = models_path ? [models_path, SHIPPED_MODELS_PATH] : [SHIPPED_MODELS_PATH]
  const found = roots.map((root) => resolve(root, name)).find((path) => existsSync(join(path, 'model.json')))
  if (found) return found
  throw new KuraError('config_invalid', {
    reason: `There is no model "${name}" (a folder with model.json) in ${roots.join(' or ')}. Set KURA_TEXT_MODEL to one that exists, or to "${HASH}".`,
  })
}
