import { compareCodePoints } from '../filters/fold.ts'
import { sortText } from '../filters/sort-order.ts'
import { canonicalJson } from '../json.ts'
import type { Budget } from './budget.ts'
import { oneValue } from './rows.ts'
import type { AggregationFunction } from './schemas.ts'

/** One metric of one group while rows are read, in the order in which their records were made. */
export type Metric = {
  /** Takes the values of the metric's field in one row; none when the field is missing. */
  add(values: readonly unknown[]): void
  result(): unknown
}

export type MetricRules = {
  /** The sum of no numbers. */
  empty_sum: 0 | null
  /** Values that `push` and `add_to_set` keep of a group. */
  values_max: number
  /** Called when values were left out because of `values_max`. */
  onTruncated: () => void
}

type Make = (rules: MetricRules, budget: Budget) => Metric

const MAKERS: Record<AggregationFunction, Make> = {
  count: () => {
    let count = 0
    return {
      add() {
        count += 1
      },
      result: () => count,
    }
  },
  count_distinct: (_rules, budget) => {
    const seen = new Set<unknown>()
    return {
      add(values) {
        for (const value of values) {
          if (value === null) continue
          const identity = identityOf(value)
          if (seen.has(identity)) continue
          budget.addValue(identity)
          seen.add(identity)
        }
      },
      result: () => seen.size,
    }
  },
  sum: ({ empty_sum }) => {
    const total = new Total()
    return {
      add: (values) => total.add(values),
      result: () => (total.count === 0 ? empty_sum : total.sum),
    }
  },
  avg: () => {
    const total = new Total()
    return {
      add: (values) => total.add(values),
      result: () => (total.count === 0 ? null : total.sum / total.count),
    }
  },
  min: () => extreme(-1),
  max: () => extreme(1),
  first: () => {
    let first: unknown
    return {
      add(values) {
        if (first === undefined) first = oneValue(values)
      },
      result: () => first ?? null,
    }
  },
  last: () => {
    let last: unknown = null
    return {
      add(values) {
        last = oneValue(values)
      },
      result: () => last,
    }
  },
  push: ({ values_max, onTruncated }, budget) => {
    const kept: unknown[] = []
    return {
      add(values) {
        for (const value of values) {
          if (kept.length === values_max) return onTruncated()
          budget.addValue(value)
          kept.push(value)
        }
      },
      result: () => kept,
    }
  },
  add_to_set: ({ values_max, onTruncated }, budget) => {
    const kept = new Map<unknown, unknown>()
    return {
      add(values) {
        for (const value of values) {
          const identity = identityOf(value)
          if (kept.has(identity)) continue
          if (kept.size === values_max) return onTruncated()
          budget.addValue(identity)
          budget.addValue(value)
          kept.set(identity, value)
        }
      },
      result: () => [...kept.values()],
    }
  },
}

export const makeMetric = (name: AggregationFunction, rules: MetricRules, budget: Budget): Metric =>
  MAKERS[name](rules, budget)

/** Equal for equal JSON values; numbers stand for themselves, which costs least. */
function identityOf(value: unknown): unknown {
  if (typeof value === 'number') return value + 0
  return typeof value === 'string' ? `"${value}` : canonicalJson(value)
}

/** A sum of many numbers with the error of the additions carried along (Neumaier), so that their order hardly matters. */
class Total {
  count = 0
  #sum = 0
  #lost = 0

  add(values: readonly unknown[]): void {
    for (const value of values) {
      if (typeof value !== 'number') continue
      this.count += 1
      const next = this.#sum + value
      this.#lost +=
        Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - next + value : value - next + this.#sum
      this.#sum = next
    }
  }

  get sum(): number {
    // Beyond the largest double there is no error left to carry.
    return Number.isFinite(this.#lost) ? this.#sum + this.#lost : this.#sum
  }
}

/** The least (`wanted` -1) or greatest value in the order of sorts; null, lists and objects do not take part. */
function extreme(wanted: 1 | -1): Metric {
  let best: unknown = null
  let bestText: string | null = null
  return {
    add(values) {
      for (const value of values) {
        if (typeof value === 'object') continue
        if (typeof value === 'number' && typeof best === 'number') {
          if ((value - best) * wanted > 0) {
            best = value
            bestText = null
          }
          continue
        }
        const text = sortText(value)
        if (text === null) continue
        bestText ??= sortText(best)
        if (bestText === null || compareCodePoints(text, bestText) * wanted > 0) {
          best = value
          bestText = text
        }
      }
    },
    result: () => best,
  }
}
