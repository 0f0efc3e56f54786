import type { BucketSchema, UniqueKeyConfig } from './bucket-schema.ts'
import { ValidationError } from './errors.ts'
import { sha256 } from './ids.ts'
import { canonicalJson, type JsonObject, type JsonValue } from './json.ts'
import { fieldValue } from './object-schema.ts'
import { parseInstant } from './time.ts'

const STRING_MAX = 255

export type UniqueKey = {
  /** What the unique index holds: SHA-256 of the canonical JSON of the sorted pairs. */
  hash: string
  /** The key itself: canonical JSON of its fields, sorted by name. Document ids are made from it. */
  canonical: string
  /** As the client sent them. */
  values: JsonObject
}

/**
 * The unique key of an object. Numbers are equal by value, strings exactly, instants by the moment
 * they name. Throws `unique_key_missing` for a field without a usable value.
 */
export function uniqueKeyOf(
  config: UniqueKeyConfig,
  schema: BucketSchema | null,
  fields: JsonObject,
  loc: readonly (string | number)[] = ['body'],
): UniqueKey {
  const values: JsonObject = {}
  const canonical: JsonObject = {}
  for (const field of config.fields) {
    const value = fieldValue(fields, field)
    if (!isUsable(value)) throw missing(field, loc)
    values[field] = value
    canonical[field] = schema?.properties[field]?.type === 'datetime' ? instant(value) : value
  }
  const text = canonicalJson(canonical)
  return { hash: sha256(text), canonical: text, values }
}

function isUsable(value: JsonValue | undefined): value is string | number {
  if (typeof value === 'string') return value !== '' && value.length <= STRING_MAX
  return typeof value === 'number'
}

function instant(value: string | number): string | number {
  return (typeof value === 'string' ? parseInstant(value) : null) ?? value
}

function missing(field: string, loc: readonly (string | number)[]): ValidationError {
  const msg = `The unique key field needs a number or a string of 1 to ${STRING_MAX} characters`
  return new ValidationError([{ loc: [...loc, field], msg, type: 'value_error' }], 'unique_key_missing', {
    field,
  })
}
