import { KuraError, valueError } from '../errors.ts'
import type { JsonValue } from '../json.ts'
import type { ExtractorShape, FieldSchema, FieldsSchema, InputMapping } from './config.ts'
import { parseFieldPath, schemaAt } from './field-path.ts'

/** What clients send: a map of input to path, or the list form. */
export type SentMappings =
  | Record<string, string>
  | readonly {
      input_key: string
      source_type?: string | null
      path?: string | null
      override?: unknown
    }[]

const LOC = ['body', 'feature_extractor', 'input_mappings']

/** Types that a string can stand for: as the text itself or as the URL of a file. */
const TEXT_OR_URL = ['string', 'text', 'image', 'audio', 'video', 'pdf', 'excel']

/** The list form. An `override` makes a literal, whatever `source_type` says. */
export function canonicalMappings(sent: SentMappings): InputMapping[] {
  if (!Array.isArray(sent))
    return Object.entries(sent as Record<string, string>).map(([input_key, path]) => ({
      input_key,
      source_type: 'payload',
      path,
    }))
  return sent.map(({ input_key, source_type, path, override }, i): InputMapping => {
    if (override !== undefined && override !== null)
      return { input_key, source_type: 'literal', override: override as JsonValue }
    if (source_type === 'literal') throw valueError([...LOC, i], 'A literal needs the member "override"')
    if (!path) throw valueError([...LOC, i], 'A mapping needs the member "path" or "override"')
    return { input_key, source_type: source_type === 'vector' ? 'vector' : 'payload', path }
  })
}

export type MappingCheck = {
  extractor: ExtractorShape
  /** What the client sent; absent or empty: the mappings are found. */
  sent: SentMappings | null | undefined
  /** Null: the source has no schema. */
  schema: FieldsSchema | null
}

/**
 * The mappings of a collection to be, checked against what the extractor takes and the source has
 * (contract, input mappings). Throws the first broken rule.
 */
export function checkMappings({ extractor, sent, schema }: MappingCheck): InputMapping[] {
  const mappings = canonicalMappings(sent ?? [])
  const takesRecord = Object.keys(extractor.inputs).length === 0
  if (schema === null) {
    if (takesRecord && mappings.length === 0) return []
    throw new KuraError('bucket_schema_required')
  }
  if (mappings.length === 0) return takesRecord ? [] : findMappings(extractor, schema)
  for (const mapping of mappings) checkMapping(mapping, extractor, schema)
  const mapped = new Set(mappings.map(({ input_key }) => input_key))
  for (const [input, { required }] of Object.entries(extractor.inputs))
    if (required && !mapped.has(input)) throw new KuraError('input_mapping_required', { input })
  return mappings
}

function checkMapping(mapping: InputMapping, { inputs }: ExtractorShape, schema: FieldsSchema): void {
  const { input_key: input } = mapping
  const available = Object.keys(inputs)
  const accepted = Object.hasOwn(inputs, input) ? inputs[input]!.accepts : undefined
  if (!accepted && available.length > 0) throw new KuraError('unknown_extractor_input', { input, available })
  if (mapping.source_type === 'literal') return
  const { path } = mapping
  if (mapping.source_type === 'vector') {
    if (accepted && !accepted.includes('vector'))
      throw new KuraError('input_type_mismatch', { input, path, accepted, found: 'vector' })
    return
  }
  const { segments } = parseFieldPath(path, schema)
  if (!Object.hasOwn(schema.properties, segments[0]!))
    throw new KuraError('input_mapping_field_not_found', {
      input,
      path,
      available: Object.keys(schema.properties),
    })
  // Inside an object without nested schema the type is only known at run time.
  const found = schemaAt(schema, segments)?.type
  if (found && accepted && !fits(found, accepted))
    throw new KuraError('input_type_mismatch', { input, path, accepted: [...accepted], found })
}

function fits(type: string, accepts: readonly string[]): boolean {
  if (accepts.includes(type)) return true
  if (type === 'string') return accepts.some((one) => TEXT_OR_URL.includes(one))
  if (type === 'text') return accepts.includes('string')
  return accepts.includes('json') && !TEXT_OR_URL.includes(type)
}

/** Mappings when none were sent: the field named like the input, else the only field of a type it takes. */
function findMappings({ inputs }: ExtractorShape, schema: FieldsSchema): InputMapping[] {
  const fields = Object.entries(schema.properties)
  const found = new Map<string, string>()
  for (const [input, { accepts }] of Object.entries(inputs)) {
    const named = Object.hasOwn(schema.properties, input) ? schema.properties[input] : undefined
    if (named && fits(named.type, accepts)) found.set(input, input)
  }
  for (const [input, { accepts, required }] of Object.entries(inputs)) {
    // An optional input is guessed only when nothing else feeds the extractor.
    if (found.has(input) || (!required && found.size > 0)) continue
    const only = onlyField(fields, accepts)
    if (only) found.set(input, only)
    else if (required) throw new KuraError('input_mapping_required', { input })
  }
  if (found.size === 0) throw new KuraError('input_mapping_required', { input: Object.keys(inputs)[0] })
  return [...found].map(([input_key, path]) => ({ input_key, source_type: 'payload', path }))
}

function onlyField(fields: [string, FieldSchema][], accepts: readonly string[]): string | undefined {
  const accepted = fields.filter(([, { type }]) => accepts.includes(type))
  return accepted.length === 1 ? accepted[0]![0] : undefined
}
