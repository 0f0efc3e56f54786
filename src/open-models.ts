import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { createModels, type WarmableModels } from './platform/models/create-models.ts'

/**
 * Models as the configuration binds them: in a child process for the API, whose event loop must stay
 * free; on the calling thread for engine processes, which are children already.
 */
export function openModels(config: Config, run: 'child' | 'in_process', logger: Logger): WarmableModels {
  return createModels({
    run,
    models_path: config.models,
    text_model: config.text_model,
    threads: config.model_threads,
    logger,
  })
}
