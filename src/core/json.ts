export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject
export type JsonObject = { [key: string]: JsonValue }

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** JSON with object members sorted at every depth: equal values have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    isObject(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : member,
  )
}

/** A copy without members that are null or undefined (the contract omits optional nulls). */
export function omitNulls<T extends Record<string, unknown>>(value: T): T {
  const copy: Record<string, unknown> = {}
  for (const key in value) {
    const member = value[key]
    if (member !== null && member !== undefined) copy[key] = member
  }
  return copy as T
}
