import { isObject } from '../core/json.ts'
import { RowError } from './extractor.ts'

/** Root names of documents that no extracted field may take. */
const SYSTEM_NAMES = new Set(['document_id', 'collection_id', 'document_blobs', 'metadata', '_internal'])

type OutputField = { type: string; description?: string }

/**
 * The fields that a `response_shape` adds to documents: the properties of a JSON Schema. A wish in
 * words names none until a model has read it. `taken` are the extractor's own output fields; a
 * property of such a name gets the prefix `extracted_`.
 */
export function responseShapeFields(shape: unknown, taken: readonly string[]): Record<string, OutputField> {
  if (!isObject(shape)) return {}
  const properties = isObject(shape.properties) ? shape.properties : {}
  const fields: Record<string, OutputField> = {}
  for (const [name, property] of Object.entries(properties)) {
    const schema = isObject(property) ? property : {}
    const isTaken = taken.includes(name) || SYSTEM_NAMES.has(name) || name.startsWith('__')
    fields[isTaken ? `extracted_${name}` : name] = {
      type: typeof schema.type === 'string' ? schema.type : 'string',
      ...(typeof schema.description === 'string' && { description: schema.description }),
    }
  }
  return fields
}

/**
 * What a document lacks because no language model serves the `llm` slot. Creating a collection never
 * needs a model; its documents are written without these fields, and say so.
 */
export function missingShape(
  shape: unknown,
  taken: readonly string[],
): { feature: string; error: RowError }[] {
  if (shape === null || shape === undefined) return []
  const error = new RowError('dependency', 'No model is configured for the "llm" slot.', {
    recovery_suggestion: 'Bind a language model to the "llm" slot, then retry the batch.',
  })
  const fields = Object.keys(responseShapeFields(shape, taken))
  return (fields.length > 0 ? fields : ['response_shape']).map((feature) => ({ feature, error }))
}
