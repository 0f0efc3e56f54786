import { KuraError, ValidationError, type Violation } from '../errors.ts'
import type { FilterOptions } from './options.ts'

export const FILTER_DEPTH_MAX = 10
export const FILTER_CONDITIONS_MAX = 200
export const FILTER_VALUES_MAX = 10_000

/** What the parser knows at one place of a filter. */
export type Context = {
  readonly options: FilterOptions
  /** Shared by all places: conditions met so far. */
  readonly seen: { conditions: number }
  /** Groups around this place. */
  readonly depth: number
  /** The nearest flag of the filter or request. */
  readonly case_sensitive: boolean | undefined
  readonly loc: readonly (string | number)[]
}

export const at = (context: Context, step: string | number): Context => ({
  ...context,
  loc: [...context.loc, step],
})

/** Inside one more group. */
export function deeper(context: Context): Context {
  const depth = context.depth + 1
  if (depth > FILTER_DEPTH_MAX) throw tooComplex(`groups are nested deeper than ${FILTER_DEPTH_MAX}`)
  return { ...context, depth }
}

/** Counts a condition. */
export function countCondition({ seen }: Context): void {
  seen.conditions++
  if (seen.conditions > FILTER_CONDITIONS_MAX)
    throw tooComplex(`it has more than ${FILTER_CONDITIONS_MAX} conditions`)
}

export const tooComplex = (reason: string) => new KuraError('filter_too_complex', { reason })

export function refusesWith400({ profile, unknown_operator }: FilterOptions): boolean {
  return (unknown_operator ?? (profile === 'document' ? 'invalid_filter' : null)) === 'invalid_filter'
}

/** The error for a filter of the wrong shape, in the form of the resource family. */
export function malformed(context: Context, msg: string, type = 'value_error', member?: string): KuraError {
  const violation: Violation = { loc: member ? [...context.loc, member] : [...context.loc], msg, type }
  return refusesWith400(context.options)
    ? new KuraError('invalid_filter', { reason: `Invalid filter at ${violation.loc.join('.')}: ${msg}` })
    : new ValidationError([violation])
}
