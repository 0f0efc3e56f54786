import { compareCodePoints, foldCase } from './fold.ts'
import { type FieldPaths, firstValues, plainField } from './path.ts'
import { instantOf } from './scalars.ts'
import type { SortKey } from './sort.ts'

/** Strings that agree this far tie: cursors carry the keys of a row, so keys must stay short. */
export const SORT_TEXT_MAX = 500

/**
 * A value as text whose code point order is the order of the values: numbers, then instants, then
 * strings (folded, then as written), then false and true. Null for what always comes last: null,
 * objects, and missing or empty values. An array sorts by its first element. The databases have a
 * function that gives the same text.
 */
export function sortText(value: unknown): string | null {
  const element: unknown = Array.isArray(value) ? value[0] : value
  switch (typeof element) {
    case 'number':
      return `1${numberText(element)}`
    case 'string': {
      const instant = instantOf(element)
      if (instant !== null) return `2${instant}`
      const text = firstCharacters(element, SORT_TEXT_MAX)
      return `3${foldCase(text)}\u0001${text}`
    }
    case 'boolean':
      return element ? '41' : '40'
    default:
      return null
  }
}

const view = new DataView(new ArrayBuffer(8))

/** IEEE 754 bits in hexadecimal, turned so that they sort: negative numbers inverted, others with the sign set. */
export function numberText(value: number): string {
  view.setFloat64(0, value + 0)
  const bits = view.getBigUint64(0)
  const sortable = bits >> 63n ? ~bits & 0xffff_ffff_ffff_ffffn : bits | (1n << 63n)
  return sortable.toString(16).padStart(16, '0')
}

function firstCharacters(text: string, count: number): string {
  return text.length <= count ? text : [...text.slice(0, count * 2)].slice(0, count).join('')
}

/** Orders records by several keys; what has no value comes last in either direction. */
export function compareBy(
  keys: readonly SortKey[],
  fieldPaths: FieldPaths = plainField,
): (a: unknown, b: unknown) => number {
  const prepared = keys.map(({ field, direction }) => ({
    paths: fieldPaths(field),
    sign: direction === 'asc' ? 1 : -1,
  }))
  return (a, b) => {
    for (const { paths, sign } of prepared) {
      const left = sortText(firstValues(a, paths)[0])
      const right = sortText(firstValues(b, paths)[0])
      if (left === right) continue
      if (left === null) return 1
      if (right === null) return -1
      return sign * compareCodePoints(left, right)
    }
    return 0
  }
}
