import { type FieldPaths, firstValues, type Path, valuesAt } from '../filters/path.ts'

/** A record as the groups see it; after an unwind, one element stands where the list stood. */
export type Row = { record: unknown; unwound: { place: number; element: unknown } | null }

/** The rows of a record: itself, or one for each element of the list that is unwound; none when there is no element. */
export function rowsOf(unwind: string | null, fieldPaths: FieldPaths): (record: unknown) => Row[] {
  if (unwind === null) return (record) => [{ record, unwound: null }]
  const places = fieldPaths(unwind)
  return (record) => {
    for (const [place, path] of places.entries()) {
      const values = valuesAt(record, path)
      if (values.length === 0) continue
      return values
        .flatMap((value) => (value === null ? [] : value))
        .map((element) => ({
          record,
          unwound: { place, element },
        }))
    }
    return []
  }
}

/** Reads the values of a field from rows; what lies at or below an unwound list is read from the element. */
export function fieldReader(
  field: string,
  unwind: string | null,
  fieldPaths: FieldPaths,
): (row: Row) => readonly unknown[] {
  const paths = fieldPaths(field)
  if (unwind === null) return ({ record }) => firstValues(record, paths)
  // For each place where the list may have stood: the paths, relative to the element where they lead to it.
  const byPlace = fieldPaths(unwind).map((place) =>
    paths.map((path) => ({ path, inner: startsWith(path, place) ? path.slice(place.length) : null })),
  )
  return ({ record, unwound }) => {
    if (!unwound) return firstValues(record, paths)
    for (const { path, inner } of byPlace[unwound.place]!) {
      const values = inner ? valuesAt(unwound.element, inner) : valuesAt(record, path)
      if (values.length > 0) return values
    }
    return []
  }
}

const startsWith = (path: Path, start: Path) =>
  path.length >= start.length && start.every((step, i) => path[i] === step)

/** A field as one value: null when it is missing, the list when a path through an array leads to several. */
export function oneValue(values: readonly unknown[]): unknown {
  return values.length > 1 ? values : (values[0] ?? null)
}
