import { isObject } from '../json.ts'

/** A field name taken apart: member names and, for `authors[0]`, positions. */
export type Path = readonly (string | number)[]

const POSITIONS = /^(.*?)((?:\[\d{1,9}\])+)$/

/** `authors[0].name` → `['authors', 0, 'name']`. Every text is a path; brackets that hold no number are part of a name. */
export function parsePath(field: string): Path {
  const path: (string | number)[] = []
  for (const segment of field.split('.')) {
    const match = POSITIONS.exec(segment)
    if (!match) {
      path.push(segment)
      continue
    }
    if (match[1] !== '') path.push(match[1]!)
    for (const [, position] of match[2]!.matchAll(/\[(\d+)\]/g)) path.push(Number(position))
  }
  return path
}

/**
 * Everything a path leads to. A member name on an array steps into those of its elements that are
 * objects (one level), so there can be several values; a missing path gives none. A stored null
 * and an array are values like any other.
 */
export function valuesAt(root: unknown, path: Path): unknown[] {
  let values = [root]
  for (const step of path) {
    const next: unknown[] = []
    for (const value of values) {
      if (typeof step === 'number') {
        if (Array.isArray(value) && step < value.length) next.push(value[step])
      } else if (Array.isArray(value)) {
        for (const element of value) takeMember(element, step, next)
      } else {
        takeMember(value, step, next)
      }
    }
    values = next
    if (values.length === 0) break
  }
  return values
}

function takeMember(value: unknown, name: string, into: unknown[]): void {
  // Own members only: a path such as "constructor" must not reach into the prototype.
  if (isObject(value) && Object.hasOwn(value, name) && value[name] !== undefined) into.push(value[name])
}

/** The places where a record may hold a field, most wanted first. */
export type FieldPaths = (field: string) => readonly Path[]

/** The plain reading: a field is its own path. */
export const plainField: FieldPaths = (field) => [parsePath(field)]

/** The values at the first of the places that holds any. */
export function firstValues(record: unknown, paths: readonly Path[]): unknown[] {
  for (const path of paths) {
    const values = valuesAt(record, path)
    if (values.length > 0) return values
  }
  return []
}
