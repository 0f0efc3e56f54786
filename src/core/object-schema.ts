import { type BucketSchema, type BucketSchemaField, isFileType } from './bucket-schema.ts'
import { ValidationError, type Violation } from './errors.ts'
import { canonicalJson, isObject, type JsonObject, type JsonValue } from './json.ts'
import { parseInstant } from './time.ts'

type Loc = readonly (string | number)[]

/** What an object holds, as far as its schema is concerned. */
export type ObjectContent = {
  /** Root members, `metadata` among them. */
  fields: JsonObject
  /** Properties that have at least one blob. */
  blob_properties: ReadonlySet<string>
}

/**
 * A schema name `x` means the root member `x`, and `metadata.x` where the root has none: clients
 * send their fields in either place.
 */
export function fieldValue(fields: JsonObject, name: string): JsonValue | undefined {
  const root = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (root !== undefined && root !== null) return root
  const { metadata } = fields
  return isObject(metadata) && Object.hasOwn(metadata, name) ? (metadata[name] as JsonValue) : root
}

/** A copy of the fields in which missing members, at any depth, have the default of their schema field. */
export function withDefaults(
  { properties }: BucketSchema,
  { fields, blob_properties }: ObjectContent,
): JsonObject {
  const result = { ...fields }
  for (const [name, field] of Object.entries(properties)) {
    if (blob_properties.has(name)) continue
    const value = fieldValue(fields, name)
    const filled = filledValue(field, value)
    // A value under `metadata` stays where the client put it.
    if (filled !== undefined && (isMissing(value) || Object.hasOwn(fields, name))) result[name] = filled
  }
  return result
}

function filledValue(field: BucketSchemaField, value: JsonValue | undefined): JsonValue | undefined {
  if (isMissing(value))
    return isMissing(field.default as JsonValue) ? value : (structuredClone(field.default) as JsonValue)
  if (!field.properties || !isObject(value)) return value
  const result: JsonObject = { ...(value as JsonObject) }
  for (const [name, child] of Object.entries(field.properties)) {
    const filled = filledValue(child, Object.hasOwn(result, name) ? result[name] : undefined)
    if (filled !== undefined) result[name] = filled
  }
  return result
}

const isMissing = (value: JsonValue | undefined): value is null | undefined =>
  value === undefined || value === null

/**
 * Every rule of the schema that the object breaks. Members that the schema does not name are free;
 * null counts as missing; nothing is coerced.
 */
export function checkObject(
  { properties }: BucketSchema,
  { fields, blob_properties }: ObjectContent,
  loc: Loc,
): Violation[] {
  const violations: Violation[] = []
  for (const [name, field] of Object.entries(properties)) {
    const value = fieldValue(fields, name)
    if (!isMissing(value)) {
      const place = Object.hasOwn(fields, name) && !isMissing(fields[name]) ? [name] : ['metadata', name]
      checkValue(field, value, [...loc, ...place], violations)
    } else if (field.required && !blob_properties.has(name))
      violations.push({ loc: [...loc, name], msg: 'Field required', type: 'missing' })
  }
  return violations
}

/** Checks one value that is there against its field; also the inline value of a blob. */
export function checkValue(
  field: BucketSchemaField,
  value: JsonValue,
  loc: Loc,
  violations: Violation[],
): void {
  const wrong = wrongType(field, value)
  if (wrong) {
    violations.push({ loc: [...loc], ...wrong })
    return
  }
  if (field.enum && field.enum.length > 0) checkEnum(field, value, loc, violations)
  if (Array.isArray(value) && field.items) {
    for (const [i, item] of value.entries()) checkValue(field.items, item, [...loc, i], violations)
  } else if (isObject(value) && field.properties) {
    checkMembers(field.properties, value as JsonObject, loc, violations)
  }
}

function checkMembers(
  properties: Record<string, BucketSchemaField>,
  value: JsonObject,
  loc: Loc,
  violations: Violation[],
): void {
  for (const [name, field] of Object.entries(properties)) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined
    if (!isMissing(member)) checkValue(field, member, [...loc, name], violations)
    else if (field.required) violations.push({ loc: [...loc, name], msg: 'Field required', type: 'missing' })
  }
}

/** An enum holds for the value, and for each element when the value is a list. */
function checkEnum({ enum: values }: BucketSchemaField, value: JsonValue, loc: Loc, violations: Violation[]) {
  const allowed = new Set(values!.map(canonicalJson))
  if (allowed.has(canonicalJson(value))) return
  const choices = values!.map((one) => (typeof one === 'string' ? `'${one}'` : JSON.stringify(one)))
  const list = choices.length > 1 ? `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}` : choices[0]
  const fail = (place: Loc) =>
    void violations.push({ loc: [...place], msg: `Input should be ${list}`, type: 'enum' })
  if (!Array.isArray(value)) fail(loc)
  else for (const [i, item] of value.entries()) if (!allowed.has(canonicalJson(item))) fail([...loc, i])
}

type Fault = Pick<Violation, 'msg' | 'type'>

const STRING: Fault = { msg: 'Input should be a valid string', type: 'string_type' }
const NUMBER: Fault = { msg: 'Input should be a valid number', type: 'float_type' }
const INTEGER: Fault = { msg: 'Input should be a valid integer', type: 'int_type' }
const FRACTION: Fault = {
  msg: 'Input should be a valid integer, got a number with a fractional part',
  type: 'int_from_float',
}
const BOOLEAN: Fault = { msg: 'Input should be a valid boolean', type: 'bool_type' }
const OBJECT: Fault = { msg: 'Input should be a valid dictionary', type: 'dict_type' }
const LIST: Fault = { msg: 'Input should be a valid list', type: 'list_type' }
const DATE: Fault = { msg: 'Input should be a valid date in the format YYYY-MM-DD', type: 'date_parsing' }
const DATETIME: Fault = {
  msg: 'Input should be a valid datetime in ISO 8601 format',
  type: 'datetime_parsing',
}

function wrongType({ type }: BucketSchemaField, value: JsonValue): Fault | null {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? null : STRING
    case 'number':
    case 'float':
      return typeof value === 'number' ? null : NUMBER
    case 'integer':
      return typeof value !== 'number' ? INTEGER : Number.isInteger(value) ? null : FRACTION
    case 'boolean':
      return typeof value === 'boolean' ? null : BOOLEAN
    case 'object':
      return isObject(value) ? null : OBJECT
    case 'array':
      return Array.isArray(value) ? null : LIST
    case 'date':
      return typeof value === 'string' && isDate(value) ? null : DATE
    case 'datetime':
      return typeof value === 'string' && parseInstant(value) !== null ? null : DATETIME
    default:
      // A file type: text, or the address of a file, written as a member.
      return !isFileType(type) || typeof value === 'string' ? null : STRING
  }
}

/** Date.parse rolls 30 February over into March, so the text must survive the round trip. */
function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const ms = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text)
}

/** The 422 of an object that does not fit its bucket; each reason names its field. */
export function schemaValidationFailed(violations: Violation[]): ValidationError {
  const reason = violations.map(({ loc, msg }) => `${pathOf(loc)}: ${msg}`).join('; ')
  return new ValidationError(violations, 'schema_validation_failed', { reason })
}

/** The place inside the object: where in a request the object stood says nothing about the fault. */
function pathOf(loc: Loc): string {
  const inBody = loc[0] === 'body' ? loc.slice(1) : loc
  return (inBody[0] === 'objects' && typeof inBody[1] === 'number' ? inBody.slice(2) : inBody).join('.')
}
