import { ValidationError, type Violation } from '../errors.ts'
import { isObject } from '../json.ts'
import { parseInstant } from '../time.ts'

export type InputField = {
  type: string
  required?: boolean | null
  default?: unknown
  enum?: unknown[] | null
  items?: InputField | null
  properties?: Record<string, InputField> | null
  /** Further keys of the client are kept. */
  [key: string]: unknown
}

export type InputSchema = Record<string, InputField>

const NUMBERS = new Set(['integer', 'number', 'float'])
const MEDIA = new Set(['image', 'video', 'audio', 'pdf', 'excel'])

/** `{"properties":…,"required":[…]}` is the same schema in JSON Schema's clothes. */
export function unwrapInputSchema(schema: unknown): unknown {
  if (!isObject(schema) || !isObject(schema.properties)) return schema
  const isWrapper = schema.type === undefined || schema.type === 'object'
  if (!isWrapper) return schema
  const required = Array.isArray(schema.required) ? schema.required : []
  return Object.fromEntries(
    Object.entries(schema.properties).map(([name, field]) => [
      name,
      isObject(field) && required.includes(name) ? { ...field, required: true } : field,
    ]),
  )
}

/**
 * Inputs in the types of the schema, with defaults; undeclared inputs are kept. Throws
 * `retriever_input_invalid` with one violation a field.
 */
export function resolveInputs(schema: InputSchema, inputs: Record<string, unknown>): Record<string, unknown> {
  const violations: Violation[] = []
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(inputs))
    if (value !== null && !Object.hasOwn(schema, name)) result[name] = value
  for (const [name, field] of Object.entries(schema)) {
    const loc = ['body', 'inputs', name]
    const given = Object.hasOwn(inputs, name) ? inputs[name] : undefined
    const value = given === undefined || given === null ? field.default : given
    if (value === undefined || value === null) {
      if (field.required) violations.push({ loc, msg: 'Field required', type: 'missing' })
      continue
    }
    const coerced = coerce(field, value, loc, violations)
    if (coerced !== undefined) result[name] = coerced
  }
  if (violations.length > 0) throw new ValidationError(violations, 'retriever_input_invalid')
  return result
}

type Loc = (string | number)[]

function coerce(field: InputField, value: unknown, loc: Loc, violations: Violation[]): unknown {
  const before = violations.length
  const result = coerceType(field, value, loc, violations)
  if (violations.length > before || !Array.isArray(field.enum) || field.enum.length === 0) return result
  if (field.enum.some((option) => JSON.stringify(option) === JSON.stringify(result))) return result
  return refuse(
    violations,
    loc,
    'enum',
    `Input should be one of ${field.enum.map((option) => JSON.stringify(option)).join(', ')}`,
  )
}

function coerceType(field: InputField, value: unknown, loc: Loc, violations: Violation[]): unknown {
  const type = field.type.toLowerCase()
  if (type === 'string' || type === 'text') {
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    return typeof value === 'string'
      ? value
      : refuse(violations, loc, 'string_type', 'Input should be a valid string')
  }
  if (NUMBERS.has(type)) return toNumber(type, value, loc, violations)
  if (type === 'boolean') return toBoolean(value, loc, violations)
  if (type === 'date' || type === 'datetime') return toDate(type, value, loc, violations)
  if (type === 'array') return toArray(field, value, loc, violations)
  if (type === 'object') return toObject(field, value, loc, violations)
  if (MEDIA.has(type)) return toMedia(value, loc, violations)
  if (type === 'document_reference') return toReference(value, loc, violations)
  return value
}

function toNumber(type: string, value: unknown, loc: Loc, violations: Violation[]): unknown {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  const name = type === 'integer' ? 'integer' : 'number'
  if (
    typeof number !== 'number' ||
    !Number.isFinite(number) ||
    (type === 'integer' && !Number.isInteger(number))
  )
    return refuse(
      violations,
      loc,
      `${type === 'integer' ? 'int' : 'float'}_parsing`,
      `Input should be a valid ${name}`,
    )
  return number
}

function toBoolean(value: unknown, loc: Loc, violations: Violation[]): unknown {
  if (typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  return refuse(violations, loc, 'bool_parsing', 'Input should be a valid boolean')
}

function toDate(type: string, value: unknown, loc: Loc, violations: Violation[]): unknown {
  const valid =
    typeof value === 'string' && parseInstant(value) !== null && (type !== 'date' || value.length === 10)
  if (valid) return value
  return refuse(
    violations,
    loc,
    `${type}_parsing`,
    `Input should be a valid ${type === 'date' ? 'date (YYYY-MM-DD)' : 'datetime (ISO 8601)'}`,
  )
}

function toArray(field: InputField, value: unknown, loc: Loc, violations: Violation[]): unknown {
  const items = Array.isArray(value) ? value : [value]
  return field.items ? items.map((item, i) => coerce(field.items!, item, [...loc, i], violations)) : items
}

function toObject(field: InputField, value: unknown, loc: Loc, violations: Violation[]): unknown {
  if (!isObject(value)) return refuse(violations, loc, 'dict_type', 'Input should be a valid dictionary')
  const result = { ...value }
  for (const [key, member] of Object.entries(field.properties ?? {})) {
    if (result[key] !== undefined && result[key] !== null)
      result[key] = coerce(member, result[key], [...loc, key], violations)
    else if (member.required) refuse(violations, [...loc, key], 'missing', 'Field required')
  }
  return result
}

/** A URL, a data URI or base64 as text; an object of one of them; or the vector itself. */
function toMedia(value: unknown, loc: Loc, violations: Violation[]): unknown {
  if (typeof value === 'string' && value !== '') return value
  if (isObject(value) && (typeof value.url === 'string' || typeof value.base64 === 'string')) return value
  return refuse(
    violations,
    loc,
    'value_error',
    'Input should be a URL, a data URI, base64, {"url"} or {"base64"}',
  )
}

function toReference(value: unknown, loc: Loc, violations: Violation[]): unknown {
  if (typeof value === 'string' && value !== '') return { collection_id: null, document_id: value }
  if (isObject(value) && typeof value.document_id === 'string') return value
  return refuse(
    violations,
    loc,
    'value_error',
    'Input should be {"collection_id","document_id"} or a document id',
  )
}

function refuse(violations: Violation[], loc: Loc, type: string, msg: string): undefined {
  violations.push({ loc, msg, type })
  return undefined
}
