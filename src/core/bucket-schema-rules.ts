import type { BucketSchema, BucketSchemaField, UniqueKeyConfig } from './bucket-schema.ts'
import type { Violation } from './errors.ts'
import { canonicalJson, type JsonValue } from './json.ts'
import { checkValue } from './object-schema.ts'

const DEPTH_MAX = 10
const FIELDS_MAX = 500
const SCHEMA_JSON_MAX = 256 * 1024

type Loc = (string | number)[]

/** Rules of a bucket schema beyond its shape: size, depth, and defaults that fit their fields. */
export function checkBucketSchema(schema: BucketSchema, loc: Loc, violations: Violation[]): void {
  const add = (at: Loc, msg: string) => void violations.push({ loc: at, msg, type: 'value_error' })
  if (Buffer.byteLength(JSON.stringify(schema)) > SCHEMA_JSON_MAX) {
    add(loc, `A bucket schema may be at most ${SCHEMA_JSON_MAX} bytes long`)
    return
  }
  let count = 0
  const visit = (field: BucketSchemaField, at: Loc, depth: number): void => {
    count += 1
    if (depth > DEPTH_MAX) {
      add(at, `Fields may be nested at most ${DEPTH_MAX} levels deep`)
      return
    }
    if (field.default !== undefined && field.default !== null)
      checkValue(field, field.default as JsonValue, [...at, 'default'], violations)
    if (field.items) visit(field.items, [...at, 'items'], depth + 1)
    for (const [name, member] of Object.entries(field.properties ?? {}))
      visit(member, [...at, 'properties', name], depth + 1)
  }
  for (const [name, field] of Object.entries(schema.properties)) {
    if (name === '') add([...loc, 'properties', name], 'A field needs a name')
    visit(field, [...loc, 'properties', name], 1)
  }
  if (count > FIELDS_MAX) add(loc, `A bucket schema may have at most ${FIELDS_MAX} fields, not ${count}`)
}

/** Types that identify an object; others have no exact, short text form. */
const UNIQUE_KEY_TYPES = ['string', 'number', 'integer', 'float', 'date', 'datetime']

/** The fields of a unique key are distinct top-level properties of scalar types. */
export function checkUniqueKey(
  { fields }: UniqueKeyConfig,
  schema: BucketSchema,
  loc: Loc,
  violations: Violation[],
): void {
  for (const [i, name] of fields.entries()) {
    const add = (msg: string) =>
      void violations.push({ loc: [...loc, 'fields', i], msg, type: 'value_error' })
    const field = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    if (!field) add(`"${name}" is not a property of the bucket schema`)
    else if (!UNIQUE_KEY_TYPES.includes(field.type))
      add(`"${name}" has type ${field.type}; a unique key takes ${UNIQUE_KEY_TYPES.join(', ')}`)
    if (fields.indexOf(name) !== i) add(`"${name}" is listed twice`)
  }
}

/**
 * Why objects stored under `before` might not fit `after`, or null: fields may come when they are
 * optional, become optional and take more values, but not go, change type or become required.
 */
export function schemaIncompatibility(before: BucketSchema, after: BucketSchema): string | null {
  return incompatibleFields(before.properties, after.properties, '')
}

type Fields = Record<string, BucketSchemaField>

function incompatibleFields(before: Fields, after: Fields, place: string): string | null {
  for (const [name, field] of Object.entries(before)) {
    const found = Object.hasOwn(after, name)
      ? incompatibleField(field, after[name]!, `${place}${name}`)
      : `the field "${place}${name}" is removed`
    if (found) return found
  }
  for (const [name, field] of Object.entries(after))
    if (!Object.hasOwn(before, name) && field.required) return `the new field "${place}${name}" is required`
  return null
}

function incompatibleField(
  before: BucketSchemaField,
  after: BucketSchemaField,
  place: string,
): string | null {
  if (before.type !== after.type) return `the type of "${place}" changes from ${before.type} to ${after.type}`
  if (after.required && !before.required) return `the field "${place}" becomes required`
  if (after.enum) {
    const allowed = new Set(after.enum.map(canonicalJson))
    if (!before.enum?.every((value) => allowed.has(canonicalJson(value))))
      return `the enum of "${place}" allows less than before`
  }
  if (after.items && !before.items) return `the items of "${place}" get a type`
  if (before.items && after.items) {
    const found = incompatibleField(before.items, after.items, `${place}[]`)
    if (found) return found
  }
  // Members that the old schema did not name may be stored with any type.
  return after.properties ? incompatibleFields(before.properties ?? {}, after.properties, `${place}.`) : null
}
