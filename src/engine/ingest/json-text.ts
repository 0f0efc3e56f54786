import type { JsonObject, JsonValue } from '../../core/json.ts'

/** A NUL, or half of a surrogate pair: JSON allows both, PostgreSQL's jsonb neither. */
const UNSTORABLE = /\\u0000|\\ud[89a-f]/i

/** The value without what no database stores; text from files may hold anything. */
export function cleaned<T extends JsonObject>(value: T): T {
  // Well-formed text never serializes to an escaped surrogate, so nearly all values pass unchanged.
  return UNSTORABLE.test(JSON.stringify(value)) ? (clean(value) as T) : value
}

function clean(value: JsonValue): JsonValue {
  if (typeof value === 'string') return value.replaceAll('\0', '').toWellFormed()
  if (Array.isArray(value)) return value.map(clean)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [clean(key) as string, clean(member)]),
  )
}
