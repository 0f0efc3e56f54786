import { evaluateFilter } from '../filters/evaluate.ts'
import { compareCodePoints } from '../filters/fold.ts'
import type { FieldPaths } from '../filters/path.ts'
import { sortText } from '../filters/sort-order.ts'
import { canonicalJson } from '../json.ts'
import { Budget } from './budget.ts'
import { type Metric, type MetricRules, makeMetric } from './metrics.ts'
import type { AggregationPlan } from './plan.ts'
import { fieldReader, oneValue, type Row, rowsOf } from './rows.ts'
import type { AggregationResponse } from './schemas.ts'

export type AggregationOptions = {
  /** Where a record holds a field: the same function as for filters. */
  fieldPaths: FieldPaths
  rules: Omit<MetricRules, 'onTruncated'>
}

type Group = { key: string; values: unknown[]; metrics: Metric[] }
type Finished = { key: string; group: Record<string, unknown>; metrics: Record<string, unknown> }

/**
 * Computes an aggregation record by record: unwind, group, metrics, and at the end having, sort and limit.
 * Its memory grows with groups and kept values, not with records, and is bounded (`aggregation_too_large`).
 */
export class Aggregation {
  readonly #plan: AggregationPlan
  readonly #rules: MetricRules
  readonly #rowsOf: (record: unknown) => Row[]
  readonly #groupFields: { read: (row: Row) => readonly unknown[]; of: (value: unknown) => unknown }[]
  readonly #metricFields: ((row: Row) => readonly unknown[])[]
  readonly #groups = new Map<string, Group>()
  readonly #budget = new Budget()
  #records = 0
  #isTruncated = false

  constructor(plan: AggregationPlan, { fieldPaths, rules }: AggregationOptions) {
    const { unwind, groups, metrics } = plan
    const reader = (field: string) => fieldReader(field, unwind, fieldPaths)
    this.#plan = plan
    const onTruncated = () => {
      this.#isTruncated = true
    }
    this.#rules = { ...rules, onTruncated }
    this.#rowsOf = rowsOf(unwind, fieldPaths)
    this.#groupFields = groups.map(({ field, of }) => ({ read: reader(field), of }))
    this.#metricFields = metrics.map(({ field }) => (field === null ? () => [] : reader(field)))
  }

  /** Records MUST come in the order in which they were made: `first`, `last` and `push` follow it. */
  add(record: unknown): void {
    this.#records += 1
    for (const row of this.#rowsOf(record)) {
      const { metrics } = this.#groupOf(row)
      for (const [i, metric] of metrics.entries()) metric.add(this.#metricFields[i]!(row))
    }
  }

  finish(): AggregationResponse {
    const { having, limit } = this.#plan
    const all = [...this.#groups.values()].map((group) => this.#finished(group))
    const passing = all.filter(
      (group) => having === null || evaluateFilter(having, namesOf(group), namedField),
    )
    const sorted = this.#sorted(passing)
    return {
      results: sorted.slice(0, limit ?? undefined).map(({ group, metrics }) => ({ group, metrics })),
      total_groups: passing.length,
      query_info: { records: this.#records, truncated: this.#isTruncated },
    }
  }

  #groupOf(row: Row): Group {
    const values = this.#groupFields.map(({ read, of }) => of(oneValue(read(row))))
    const key = values.map(keyOf).join()
    const known = this.#groups.get(key)
    if (known) return known
    this.#budget.addGroup(key)
    const metrics = this.#plan.metrics.map((term) => makeMetric(term.function, this.#rules, this.#budget))
    const group = { key, values, metrics }
    this.#groups.set(key, group)
    return group
  }

  #finished({ key, values, metrics }: Group): Finished {
    const { groups, metrics: terms } = this.#plan
    return {
      key,
      group: Object.fromEntries(groups.map(({ name }, i) => [name, values[i]])),
      metrics: Object.fromEntries(terms.map(({ alias }, i) => [alias, metrics[i]!.result()])),
    }
  }

  /** By the wanted name, what has no value last; then, and without a sort, by the values of the groups, ascending. */
  #sorted(groups: readonly Finished[]): Finished[] {
    const { sort, groups: terms } = this.#plan
    const names = terms.map(({ name }) => name)
    const sign = sort?.direction === 'desc' ? -1 : 1
    const keyed = groups.map((group) => {
      const values = namesOf(group)
      return {
        group,
        first: sort ? sortText(values[sort.name]) : null,
        rest: names.map((name) => sortText(values[name])),
      }
    })
    keyed.sort((a, b) => {
      const wanted = compareNullsLast(a.first, b.first, sign)
      if (wanted !== 0) return wanted
      for (const [i, text] of a.rest.entries()) {
        const order = compareNullsLast(text, b.rest[i]!, 1)
        if (order !== 0) return order
      }
      return compareCodePoints(a.group.key, b.group.key)
    })
    return keyed.map(({ group }) => group)
  }
}

const namesOf = ({ group, metrics }: Finished): Record<string, unknown> => ({ ...group, ...metrics })

/** An alias is a name as a whole, whatever characters it has. */
const namedField: FieldPaths = (field) => [[field]]

const keyOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? canonicalJson(value) : JSON.stringify(value)

function compareNullsLast(a: string | null, b: string | null, sign: 1 | -1): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return sign * compareCodePoints(a, b)
}
