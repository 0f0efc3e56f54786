import type { JsonObject } from '../json.ts'

export const STAGE_CATEGORIES = ['filter', 'sort', 'reduce', 'apply', 'enrich'] as const
export type StageCategory = (typeof STAGE_CATEGORIES)[number]

/** A stage of a retriever in its canonical form, as stored and returned. */
export type StageDefinition = {
  stage_name: string
  stage_type: StageCategory
  config: {
    stage_id: string
    parameters: JsonObject
    pre_filters?: unknown
    post_filters?: unknown
  }
  batch_size?: string | null
  description?: string | null
}

/** A feature that a retriever depends on. */
export type FeatureAddress = { scheme: string; extractor: string; version: string; output?: string | null }
