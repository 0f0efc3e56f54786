import type { JsonObject, JsonValue } from './json.ts'

/** Text of one document beyond this is not indexed for keyword search. */
const LENGTH_MAX = 1024 * 1024
/** Values that name a place instead of saying something. */
const ADDRESS = /^(?:[a-z][a-z0-9+.-]*:\/\/|data:)\S+$/i

/**
 * What keyword search finds a document by: the text of its root members, lists of texts among them.
 * Nested objects are left out (they mostly repeat: chunk texts, coordinates), and so are flags and addresses.
 */
export function searchText(payload: JsonObject): string {
  const texts: string[] = []
  for (const [name, value] of Object.entries(payload))
    if (!name.startsWith('__')) for (const text of textsOf(value)) texts.push(text)
  return texts.join('\n').slice(0, LENGTH_MAX)
}

function textsOf(value: JsonValue): string[] {
  if (typeof value === 'string') return value.trim() === '' || ADDRESS.test(value) ? [] : [value]
  return Array.isArray(value) ? value.flatMap((item) => (typeof item === 'string' ? textsOf(item) : [])) : []
}
