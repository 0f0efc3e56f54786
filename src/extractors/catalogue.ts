import type { VectorIndexDefinition } from '../core/collections/config.ts'
import { type FeatureDescriptor, formatFeatureUri } from '../core/feature-uri.ts'
import type { JsonObject } from '../core/json.ts'
import { validator } from '../core/validation.ts'
import type { Models, Slot } from '../platform/models/models.ts'
import type { Extractor, InputType, VectorOutput } from './extractor.ts'
import { extractorId } from './registry.ts'

/** An extractor as the catalogue shows it; the schemas are JSON Schemas that forms are built from. */
export type ExtractorDescription = {
  feature_extractor_name: string
  version: string
  feature_extractor_id: string
  description: string
  icon: string
  source: 'builtin'
  input_schema: JsonObject
  output_schema: JsonObject
  parameter_schema: JsonObject
  supported_input_types: string[]
  max_inputs: Record<string, number>
  default_parameters: JsonObject
  costs: null
  required_vector_indexes: VectorIndexDefinition[]
  required_payload_indexes: []
  position_fields: string[]
  /** Whether every slot that the default parameters need has a model. */
  available: boolean
  missing_providers: Slot[]
}

type Purpose = 'text' | 'code' | 'image' | 'multimodal' | 'audio'

/** How clients class the vectors of a slot; slots that make none are absent. */
const PURPOSES: Partial<Record<Slot, Purpose>> = {
  text: 'text',
  code: 'code',
  image: 'image',
  structure: 'image',
  face: 'image',
  multimodal: 'multimodal',
  audio: 'audio',
}

const ICONS: Partial<Record<Slot, string>> = {
  text: 'file-text',
  image: 'image',
  multimodal: 'film',
  face: 'user',
  audio: 'music',
  code: 'code',
}

/** Every type a field may have: what an extractor without inputs takes. */
const ALL_TYPES: readonly InputType[] = ['string', 'text', 'image', 'audio', 'video', 'pdf', 'excel', 'json']

/** The catalogue entry of an extractor, with the models that are bound right now. */
export function describeExtractor(
  extractor: Extractor,
  models: Pick<Models, 'describe'>,
): ExtractorDescription {
  const default_parameters = defaultParameters(extractor)
  const vectors = extractor.vectors(default_parameters)
  const slots = [...new Set(vectors.map(({ slot }) => slot))]
  const missing_providers = slots.filter((slot) => !models.describe(slot))
  return {
    feature_extractor_name: extractor.name,
    version: extractor.version,
    feature_extractor_id: extractorId(extractor),
    description: extractor.description,
    icon: (slots[0] && ICONS[slots[0]]) ?? 'box',
    source: 'builtin',
    input_schema: inputSchema(extractor),
    output_schema: outputSchema(extractor, default_parameters, models),
    parameter_schema: plainJson(extractor.parameters),
    supported_input_types: inputTypes(extractor),
    max_inputs: Object.fromEntries(Object.keys(extractor.inputs).map((input) => [input, 1])),
    default_parameters,
    costs: null,
    required_vector_indexes: vectors.map((output) => vectorIndexDefinition(extractor, output, models)),
    required_payload_indexes: [],
    position_fields: [...extractor.position_fields],
    available: missing_providers.length === 0,
    missing_providers,
  }
}

/** The parameters of a collection that sets none. */
export function defaultParameters(extractor: Extractor): JsonObject {
  return validator(extractor.parameters)({}, [], []) as JsonObject
}

/** A vector of an extractor as collections and the catalogue list it; the model is the one bound now. */
export function vectorIndexDefinition(
  extractor: Extractor,
  output: VectorOutput,
  models: Pick<Models, 'describe'>,
): VectorIndexDefinition {
  const model = models.describe(output.slot)
  const description = `Vectors of ${extractorId(extractor)} by ${model?.id ?? output.upstream_model}.`
  const purpose = PURPOSES[output.slot]
  return {
    feature_uri: formatFeatureUri(extractor.name, extractor.version, output.name),
    name: output.name,
    description,
    type: 'single',
    index: {
      name: output.storage_name,
      description,
      dimensions: model?.dimensions ?? null,
      type: 'dense',
      distance: output.distance,
      datatype: 'float32',
      supported_inputs: inputTypes(extractor),
      inference_name: model?.id ?? output.name,
      inference_service_id: model?.id ?? output.upstream_model,
      ...(purpose && { purpose }),
    },
  }
}

/** A vector of an extractor in the form that feature names are resolved against. */
export function featureDescriptor(
  { name, version }: Pick<Extractor, 'name' | 'version'>,
  output: VectorOutput,
): FeatureDescriptor & { slot: Slot } {
  return {
    extractor: name,
    version,
    feature_uri: formatFeatureUri(name, version, output.name),
    output: output.name,
    aliases: output.aliases,
    storage_name: output.storage_name,
    service_id: output.upstream_model,
    slot: output.slot,
  }
}

/** In the words of bucket schemas, where JSON is called `object`. */
function inputTypes({ inputs }: Extractor): string[] {
  const accepted = Object.values(inputs).flatMap(({ accepts }) => accepts)
  const types = Object.keys(inputs).length === 0 ? ALL_TYPES : accepted
  return [...new Set(types)].map((type) => (type === 'json' ? 'object' : type))
}

function inputSchema({ inputs }: Extractor): JsonObject {
  const required = Object.keys(inputs).filter((input) => inputs[input]!.required)
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(inputs).map(([input, { description, accepts }]) => [
        input,
        { ...inputValue(accepts), description, accepts: [...accepts] },
      ]),
    ),
    required,
    additionalProperties: required.length === 0,
  }
}

/** Text is sent as it is, a file as its URL. */
function inputValue(accepts: readonly InputType[]): JsonObject {
  if (accepts.includes('text') || accepts.includes('string')) return { type: 'string' }
  return accepts.includes('json') ? {} : { type: 'string', format: 'uri' }
}

function outputSchema(
  extractor: Extractor,
  parameters: JsonObject,
  models: Pick<Models, 'describe'>,
): JsonObject {
  const vectors = extractor.vectors(parameters).map((output): [string, JsonObject] => {
    const dimensions = models.describe(output.slot)?.dimensions
    return [
      output.storage_name,
      {
        type: 'array',
        items: { type: 'number' },
        ...(dimensions && { minItems: dimensions, maxItems: dimensions }),
      },
    ]
  })
  return {
    type: 'object',
    properties: plainJson({ ...extractor.output(parameters), ...Object.fromEntries(vectors) }),
  }
}

/** Without what a schema library keeps on its objects besides JSON. */
const plainJson = (value: object) => JSON.parse(JSON.stringify(value)) as JsonObject
