import { canonicalJson } from '../json.ts'
import { foldCase } from './fold.ts'
import { instantOf, numberOf } from './scalars.ts'

/**
 * The values that `eq`, `in` and array `contains` look for, sorted by the kind of stored value each
 * can equal. The SQL compilers read the members, so that they find exactly what `has` finds.
 */
export class ValueSet {
  /** Stored strings, folded if `fold`. */
  readonly strings = new Set<string>()
  /** Stored strings that name one of these instants (values of `instantOf`). */
  readonly instants = new Set<string>()
  /** Stored numbers: given numbers and given strings that spell one. */
  readonly numbers = new Set<number>()
  /** Stored strings that spell one of these: given numbers only, since two strings compare as strings. */
  readonly spelledNumbers = new Set<number>()
  readonly booleans = new Set<boolean>()
  /** Canonical JSON of arrays and objects. */
  readonly composites = new Set<string>()
  hasNull = false
  readonly fold: boolean

  constructor(values: Iterable<unknown>, fold: boolean) {
    this.fold = fold
    for (const value of values) this.#add(value)
  }

  #add(value: unknown): void {
    if (value === null || value === undefined) {
      this.hasNull = true
    } else if (typeof value === 'string') {
      this.strings.add(this.fold ? foldCase(value) : value)
      const instant = instantOf(value)
      if (instant !== null) this.instants.add(instant)
      const number = numberOf(value)
      if (number !== null) this.numbers.add(number)
    } else if (typeof value === 'number') {
      this.numbers.add(value)
      this.spelledNumbers.add(value)
    } else if (typeof value === 'boolean') {
      this.booleans.add(value)
    } else {
      this.composites.add(canonicalJson(value))
    }
  }

  /** Whether one stored value equals one of the set. An array is compared whole here. */
  has(value: unknown): boolean {
    switch (typeof value) {
      case 'string':
        return this.#hasString(value)
      case 'number':
        return this.numbers.has(value)
      case 'boolean':
        return this.booleans.has(value)
      default:
        if (value === null) return this.hasNull
        return this.composites.size > 0 && this.composites.has(canonicalJson(value))
    }
  }

  #hasString(value: string): boolean {
    if (this.strings.size > 0 && this.strings.has(this.fold ? foldCase(value) : value)) return true
    if (this.instants.size > 0) {
      const instant = instantOf(value)
      if (instant !== null && this.instants.has(instant)) return true
    }
    if (this.spelledNumbers.size > 0) {
      const number = numberOf(value)
      if (number !== null && this.spelledNumbers.has(number)) return true
    }
    return false
  }
}
