/**
 * Values of one SQL statement: few enough for the limits of both databases (32,766 parameters), and
 * of few distinct lengths, so that prepared statements are used again: full parts, then one rest.
 */
const PART_MAX = 500

export function* inParts<T>(values: readonly T[], size = PART_MAX): Generator<T[]> {
  for (let i = 0; i < values.length; i += size) yield values.slice(i, i + size)
}
