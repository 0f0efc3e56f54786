import type { FilterNode } from './ast.ts'

/** One filter for what passes all of them; null and undefined restrict nothing. */
export function allOf(filters: Iterable<FilterNode | null | undefined>): FilterNode | null {
  const children = [...filters].filter((filter) => filter !== null && filter !== undefined)
  if (children.length === 0) return null
  return children.length === 1 ? children[0]! : { kind: 'and', children }
}
