import { checkMappings } from '../../core/collections/check-mappings.ts'
import { checkPassthrough } from '../../core/collections/check-passthrough.ts'
import {
  type FieldsSchema,
  type InputMapping,
  PASSTHROUGH_EXTRACTOR,
  type VectorIndexDefinition,
} from '../../core/collections/config.ts'
import { copiesAll } from '../../core/collections/passthrough.ts'
import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { canonicalJson, type JsonObject } from '../../core/json.ts'
import { validator } from '../../core/validation.ts'
import { vectorIndexDefinition } from '../../extractors/catalogue.ts'
import type { Extractor } from '../../extractors/extractor.ts'
import { extractorId, type Registry } from '../../extractors/registry.ts'
import type { Models } from '../../platform/models/models.ts'
import type { NamespaceExtractor } from './namespace-extractors.ts'
import type { StoredExtractor } from './record.ts'
import type { FeatureExtractorInput } from './schemas.ts'

/** Throws `feature_extractor_not_found` with what may have been meant. */
export function findExtractor(
  registry: Registry,
  {
    feature_extractor_name: name,
    version,
  }: Pick<FeatureExtractorInput, 'feature_extractor_name' | 'version'>,
): Extractor {
  const found = registry.find(name, version)
  if (found) return found
  throw new KuraError('feature_extractor_not_found', {
    name,
    ...(version && { version }),
    did_you_mean: registry.didYouMean(name),
  })
}

/** The locked `params` of the namespace are the only ones a collection may have. */
export function checkParams(
  locked: NamespaceExtractor | undefined,
  params: FeatureExtractorInput['params'],
): JsonObject | undefined {
  if (!params) return locked?.params ?? undefined
  if (locked && canonicalJson(locked.params ?? {}) !== canonicalJson(params))
    throw new KuraError('extractor_params_mismatch', { expected: locked.params ?? {} })
  return params as JsonObject
}

/**
 * The parameters with defaults. Keys that the extractor does not know (guides are full of them) are
 * kept as they are. Ranges are a 422, rules across parameters a 400.
 */
export function checkParameters(extractor: Extractor, sent: FeatureExtractorInput['parameters']): JsonObject {
  const given = sent ?? {}
  const expected = extractor.name
  if (
    given.extractor_type !== undefined &&
    given.extractor_type !== null &&
    given.extractor_type !== expected
  )
    throw new KuraError('extractor_type_mismatch', { expected })
  const violations: Violation[] = []
  const loc = ['body', 'feature_extractor', 'parameters']
  const checked = validator(extractor.parameters)(given, loc, violations) as JsonObject
  if (violations.length > 0) throw new ValidationError(violations)
  const problem = extractor.check?.(checked)
  if (problem) throw new KuraError(problem.code, { reason: problem.reason })
  return { ...(given as JsonObject), ...checked, extractor_type: expected }
}

export type ExtractorPlan = {
  feature_extractor: StoredExtractor
  outputs: ReturnType<Extractor['output']>
  vector_indexes: VectorIndexDefinition[]
}

type PlanInput = {
  extractor: Extractor
  sent: FeatureExtractorInput
  params: JsonObject | undefined
  parameters: JsonObject
  /** What rows of the source look like; null without a schema. */
  schema: FieldsSchema | null
  source_vectors: readonly VectorIndexDefinition[]
  models: Pick<Models, 'describe'>
}

/** Mappings and passthrough checked against source and extractor (contract, create collection, step 6). */
export function planExtractor(input: PlanInput): ExtractorPlan {
  const { extractor, sent, params, parameters, schema, source_vectors, models } = input
  const mappings = checkMappings({ extractor, sent: sent.input_mappings, schema })
  const feature_extractor: StoredExtractor = {
    feature_extractor_name: extractor.name,
    version: extractor.version,
    feature_extractor_id: extractorId(extractor),
    ...(params && { params }),
    parameters,
    input_mappings: hasEntries(sent.input_mappings) ? sent.input_mappings : asMap(mappings),
    field_passthrough: (sent.field_passthrough ?? []) as StoredExtractor['field_passthrough'],
    include_all_source_fields: sent.include_all_source_fields,
  }
  const outputs = extractor.output(parameters)
  const own = extractor.vectors(parameters).map((output) => vectorIndexDefinition(extractor, output, models))
  const copied =
    extractor.name === PASSTHROUGH_EXTRACTOR ? copiedVectors(feature_extractor, source_vectors) : []
  checkPassthrough({
    config: feature_extractor,
    schema,
    outputs: [...Object.keys(outputs), ...own.map(({ index }) => index.name)],
    unreadable: extractor.name === PASSTHROUGH_EXTRACTOR ? [] : source_vectors.map(({ index }) => index.name),
  })
  return { feature_extractor, outputs, vector_indexes: [...own, ...copied] }
}

/** Vectors of the source that the copying extractor takes over with their index. */
function copiedVectors(
  feature_extractor: StoredExtractor,
  source_vectors: readonly VectorIndexDefinition[],
): VectorIndexDefinition[] {
  if (copiesAll(feature_extractor)) return [...source_vectors]
  const named = new Set(feature_extractor.field_passthrough.map(({ source_path }) => source_path))
  return source_vectors.filter(({ index }) => named.has(index.name))
}

function hasEntries(
  sent: FeatureExtractorInput['input_mappings'],
): sent is NonNullable<FeatureExtractorInput['input_mappings']> {
  return sent !== undefined && Object.keys(sent).length > 0
}

/** Mappings that were found, in the form that clients write by hand. */
const asMap = (mappings: readonly InputMapping[]): Record<string, string> =>
  Object.fromEntries(mappings.flatMap((one) => ('path' in one ? [[one.input_key, one.path]] : [])))
