import { FIELD_TYPES, type FieldType } from '../bucket-schema.ts'
import { isObject, type JsonValue } from '../json.ts'
import type { FeatureExtractorConfig, FieldSchema, FieldsSchema, VectorIndexDefinition } from './config.ts'
import { parseFieldPath, schemaAt } from './field-path.ts'
import { copiesAll, targetOf } from './passthrough.ts'

export type OutputSchemaInput = {
  feature_extractor: FeatureExtractorConfig
  input_schema: FieldsSchema
  /** Fields that the extractor writes with its parameters. */
  outputs: Record<string, { type: string; description?: string }>
  vector_indexes: readonly VectorIndexDefinition[]
  /** Vectors of the source, which copying all leaves out unless the collection has them too. */
  source_vectors: readonly string[]
}

/** The fields of the documents of a collection, known when it is created. */
export function outputSchema(input: OutputSchemaInput): FieldsSchema {
  const { feature_extractor, input_schema, outputs, vector_indexes, source_vectors } = input
  const properties: Record<string, FieldSchema> = {}
  if (copiesAll(feature_extractor)) {
    for (const [name, field] of Object.entries(input_schema.properties))
      if (!source_vectors.includes(name)) properties[name] = passedField(field)
    for (const { source_path } of feature_extractor.field_passthrough) {
      const { segments } = parseFieldPath(source_path, input_schema)
      if (segments.length === 1) delete properties[segments[0]!]
    }
  }
  for (const entry of feature_extractor.field_passthrough) {
    if (source_vectors.includes(entry.source_path)) continue
    const found = schemaAt(input_schema, parseFieldPath(entry.source_path, input_schema).segments)
    put(
      properties,
      targetOf(entry).split('.'),
      found ? passedField(found) : plainField(typeOf(entry.default)),
    )
  }
  for (const [name, { type, description }] of Object.entries(outputs))
    properties[name] = { ...plainField(fieldType(type)), ...(description && { description }) }
  for (const { index } of vector_indexes) properties[index.name] = plainField('array')
  return { properties }
}

/** A document may lack what its source had to have, and gets no defaults. */
function passedField({ default: _default, ...field }: FieldSchema): FieldSchema {
  return { ...field, required: false }
}

function put(properties: Record<string, FieldSchema>, [head, ...rest]: string[], field: FieldSchema): void {
  if (head === undefined) return
  if (rest.length === 0) {
    properties[head] = field
    return
  }
  const nested = { ...properties[head]?.properties }
  put(nested, rest, field)
  properties[head] = { ...plainField('object'), properties: nested }
}

const plainField = (type: FieldType): FieldSchema => ({ type, required: false })

/** The field type of a default; text when there is none. */
function typeOf(value: JsonValue | undefined): FieldType {
  if (Array.isArray(value)) return 'array'
  if (isObject(value)) return 'object'
  return typeof value === 'number' || typeof value === 'boolean'
    ? (typeof value as 'number' | 'boolean')
    : 'string'
}

const fieldType = (type: string): FieldType =>
  (FIELD_TYPES as readonly string[]).includes(type) ? (type as FieldType) : 'string'
