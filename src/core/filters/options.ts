import type { Operator } from './ast.ts'

/**
 * Whose rules decide whether case counts when the filter does not say:
 * - `management` (lists of buckets, tasks, …): it never counts.
 * - `document` (documents, objects, exports) and `retrieval`: it counts for equality and order, not
 *   for `contains`, `starts_with`, `ends_with` and `regex`.
 */
export type CaseProfile = 'management' | 'document' | 'retrieval'

export type FilterOptions = {
  profile: CaseProfile
  /** How a malformed filter is refused; by default 400 for the `document` profile and 422 for the others. */
  unknown_operator?: 'filter_operator_unknown' | 'invalid_filter'
  /** The request's own flag: stronger than the profile, weaker than a flag inside the filter. */
  case_sensitive?: boolean
  /** Refuse a list as the whole filter. */
  object_only?: boolean
  /** Where the filter stands in the request. */
  loc?: (string | number)[]
}

const PATTERN_OPERATORS: ReadonlySet<Operator> = new Set(['contains', 'starts_with', 'ends_with', 'regex'])

/** Whether an operator ignores case; `explicit` is the nearest `case_sensitive` flag. */
export function foldsCase(profile: CaseProfile, explicit: boolean | undefined, operator: Operator): boolean {
  if (explicit !== undefined) return !explicit
  if (profile === 'management') return true
  return PATTERN_OPERATORS.has(operator)
}
