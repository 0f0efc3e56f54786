import { KuraError } from '../../core/errors.ts'
import { isObject, type JsonObject } from '../../core/json.ts'
import type { StageDefinition } from '../../core/retrievers/stage-definition.ts'
import { stages } from '../../stages/registry.ts'
import type { Stage } from '../../stages/stage.ts'

type Raw = Record<string, unknown>

/** Other names of stages that clients and guides use (contract, stage envelope). */
const ALIASES: Record<string, string> = {
  feature_filter: 'feature_search',
  semantic_search: 'feature_search',
  knn_search: 'feature_search',
  vector_search: 'feature_search',
  hybrid_search: 'feature_search',
  text_search: 'feature_search',
  structured_filter: 'attribute_filter',
  filter: 'attribute_filter',
  sort_by_field: 'sort_attribute',
}

/** Members of the envelope; everything else of a flat stage is a parameter. */
const ENVELOPE = new Set([
  'stage_name',
  'stage_type',
  'stage_id',
  'stage',
  'type',
  'name',
  'config',
  'batch_size',
  'description',
  'version',
  'pre_filters',
  'post_filters',
  'parameters',
])

/** The registered stage of an id or one of its aliases. */
export function findStage(stage_id: string): Stage | undefined {
  return stages.get(ALIASES[stage_id] ?? stage_id)
}

/** The canonical form of a stage in any accepted spelling; throws `stage_not_found`. */
export function normalizeStage(raw: unknown): StageDefinition {
  if (!isObject(raw)) throw new KuraError('bad_request', { reason: 'A stage must be an object.' })
  const config = isObject(raw.config) ? raw.config : {}
  const { stage, id } = identify(raw, config)
  const given = parametersOf(raw, config)
  const { pre_filters, post_filters, ...rest } = withoutPlaceholders(given)
  const parameters = stage.normalize ? stage.normalize(rest) : rest
  const before = raw.pre_filters ?? config.pre_filters ?? pre_filters
  const after = raw.post_filters ?? config.post_filters ?? post_filters
  return {
    stage_name: firstText(raw.stage_name, raw.name) ?? id,
    stage_type: stage.category,
    config: {
      stage_id: stage.id,
      parameters: parameters as JsonObject,
      ...(before !== undefined && before !== null && { pre_filters: before }),
      ...(after !== undefined && after !== null && { post_filters: after }),
    },
    ...(typeof raw.batch_size === 'string' && { batch_size: raw.batch_size }),
    ...(typeof raw.description === 'string' && { description: raw.description }),
  }
}

/** The first of the places where clients put the id that names a registered stage. */
function identify(raw: Raw, config: Raw): { stage: Stage; id: string } {
  const explicit = [config.stage_id, raw.stage_id, raw.stage, config.stage_name]
  const implied = [raw.name, raw.type, raw.stage_name, raw.stage_type, config.type]
  const candidates = [...explicit, ...implied].filter(
    (id): id is string => typeof id === 'string' && id !== '',
  )
  for (const id of explicit) {
    // An explicit id must be right: falling back to a name would run another stage than the client meant.
    if (typeof id !== 'string' || id === '') continue
    const stage = findStage(id)
    if (stage) return { stage, id }
    throw unknown(id)
  }
  for (const id of candidates) {
    const stage = findStage(id)
    if (stage) return { stage, id }
  }
  throw unknown(candidates[0] ?? '')
}

const unknown = (stage_id: string) =>
  new KuraError('stage_not_found', { stage_id, available: [...stages.keys()] })

function parametersOf(raw: Raw, config: Raw): Raw {
  if (isObject(config.parameters)) return config.parameters
  if (isObject(raw.parameters)) return raw.parameters
  if (isObject(raw.config)) {
    const { stage_id: _id, stage_name: _name, type: _type, ...parameters } = config
    return parameters
  }
  return Object.fromEntries(Object.entries(raw).filter(([key]) => !ENVELOPE.has(key)))
}

/** Typed clients send every default, also the text "null" and placeholders such as {{COLLECTION_ID}}: both mean absent. */
function withoutPlaceholders(parameters: Raw): Raw {
  return Object.fromEntries(
    Object.entries(parameters).filter(
      ([, value]) => value !== 'null' && !(typeof value === 'string' && PLACEHOLDER.test(value)),
    ),
  )
}

const PLACEHOLDER = /^\{\{\s*[A-Z]+(?:_[A-Z]+)+\s*\}\}$/

function firstText(...values: unknown[]): string | undefined {
  return values.find((value): value is string => typeof value === 'string' && value.trim() !== '')
}
