import { ValidationError, type Violation } from '../errors.ts'
import type { FilterNode } from '../filters/ast.ts'
import { parseFilter } from '../filters/parse.ts'
import { parseSort, type SortDirection } from '../filters/sort.ts'
import { partOfDate, truncateDate } from './dates.ts'
import { rangeLabel } from './ranges.ts'
import type {
  AggregationBody,
  AggregationFunction,
  AggregationOperation,
  GroupByField,
  RangeBucket,
} from './schemas.ts'

/** One part of the key of a group. */
export type GroupTerm = { name: string; field: string; of: (value: unknown) => unknown }

export type MetricTerm = {
  alias: string
  function: AggregationFunction
  /** Null only for `count`, which counts rows. */
  field: string | null
}

/** A checked aggregation, without its filter, which the store applies. */
export type AggregationPlan = {
  unwind: string | null
  groups: readonly GroupTerm[]
  metrics: readonly MetricTerm[]
  /** Tested on the names of groups and metrics together. */
  having: FilterNode | null
  sort: { name: string; direction: SortDirection } | null
  limit: number | null
}

/**
 * Checks what the shape of a request does not show: names that are used twice or do not exist, missing
 * fields, boundaries out of order. Throws one ValidationError (422) with every violation.
 */
export function planAggregation(body: AggregationBody): AggregationPlan {
  const violations: Violation[] = []
  const ranges = body.range_buckets ?? []
  const groups = groupTerms(body.group_by, ranges, violations)
  const metrics = body.aggregations.map((operation, i) => metricTerm(operation, i, violations))
  const names = checkNames(groups, metrics, violations)
  checkRanges(ranges, violations)
  checkHaving(body, names, violations)
  const { sort_by } = body
  if (sort_by && !names.has(sort_by)) violations.push(unknownName(['body', 'sort_by'], sort_by, names))
  if (violations.length > 0) throw new ValidationError(violations)
  return {
    unwind: body.unwind ?? null,
    groups,
    metrics,
    having: parseHaving(body),
    sort: readSort(body),
    limit: body.limit ?? null,
  }
}

/** The fields that an aggregation looks at, so that a store need not read more. */
export function fieldsOf({ unwind, groups, metrics }: AggregationPlan): string[] {
  const fields = [...groups.map(({ field }) => field), ...metrics.flatMap(({ field }) => field ?? [])]
  return [...new Set(unwind === null ? fields : [unwind, ...fields])]
}

/** A range is shown under the name of its field: in place of a group of that field, or beside the others. */
function groupTerms(
  group_by: readonly GroupByField[],
  ranges: readonly RangeBucket[],
  violations: Violation[],
): GroupTerm[] {
  const rangeOf = new Map(ranges.map((range) => [range.field, rangeLabel(range)]))
  const terms = group_by.map((group, i): GroupTerm => {
    const { field, alias, date_trunc, date_part } = group
    if (date_trunc && date_part)
      violations.push(fault(['body', 'group_by', i], 'Send date_trunc or date_part, not both'))
    const range = date_trunc || date_part ? undefined : rangeOf.get(field)
    if (range) rangeOf.delete(field)
    return { name: alias ?? field, field, of: range ?? dateOf(group) }
  })
  return [...terms, ...[...rangeOf].map(([field, of]): GroupTerm => ({ name: field, field, of }))]
}

function dateOf({ date_trunc, date_part }: GroupByField): GroupTerm['of'] {
  if (date_trunc) return (value) => truncateDate(value, date_trunc)
  if (date_part) return (value) => partOfDate(value, date_part)
  return (value) => value
}

function metricTerm(operation: AggregationOperation, i: number, violations: Violation[]): MetricTerm {
  const { alias, function: name, distinct_field } = operation
  if (name === 'count') return { alias, function: name, field: null }
  const field = (name === 'count_distinct' ? distinct_field : null) ?? operation.field ?? null
  if (field === null)
    violations.push({
      loc: ['body', 'aggregations', i, 'field'],
      msg: `The function ${name} needs a field`,
      type: 'missing',
    })
  return { alias, function: name, field }
}

/** All names of a result row; having and sort_by could not tell two equal ones apart. */
function checkNames(
  groups: readonly GroupTerm[],
  metrics: readonly MetricTerm[],
  violations: Violation[],
): Set<string> {
  const names = new Set<string>()
  const take = (name: string, loc: Violation['loc']) => {
    if (names.has(name)) violations.push(fault(loc, `The name "${name}" is used twice; choose another alias`))
    names.add(name)
  }
  for (const [i, { name }] of groups.entries()) take(name, ['body', 'group_by', i, 'alias'])
  for (const [i, { alias }] of metrics.entries()) take(alias, ['body', 'aggregations', i, 'alias'])
  return names
}

function checkRanges(ranges: readonly RangeBucket[], violations: Violation[]): void {
  const seen = new Set<string>()
  for (const [i, { field, boundaries }] of ranges.entries()) {
    const loc = ['body', 'range_buckets', i]
    if (boundaries.some((bound, j) => j > 0 && bound <= boundaries[j - 1]!))
      violations.push(fault([...loc, 'boundaries'], 'Boundaries must be in ascending order, each one once'))
    if (seen.has(field)) violations.push(fault([...loc, 'field'], `The field "${field}" has ranges already`))
    seen.add(field)
  }
}

function checkHaving({ having }: AggregationBody, names: ReadonlySet<string>, violations: Violation[]): void {
  for (const [i, { field }] of (having ?? []).entries()) {
    if (!names.has(field)) violations.push(unknownName(['body', 'having', i, 'field'], field, names))
  }
}

const SYMBOLS: Readonly<Record<string, string>> = {
  '=': 'eq',
  '==': 'eq',
  '!=': 'ne',
  '<>': 'ne',
  '>': 'gt',
  '>=': 'gte',
  '<': 'lt',
  '<=': 'lte',
}

function parseHaving({ having }: AggregationBody): FilterNode | null {
  const conditions = (having ?? []).map(({ field, operator, value }) => ({
    field,
    operator: Object.hasOwn(SYMBOLS, operator.trim()) ? SYMBOLS[operator.trim()] : operator,
    value,
  }))
  const loc = ['body', 'having']
  return parseFilter(conditions, { profile: 'document', unknown_operator: 'filter_operator_unknown', loc })
}

function readSort({ sort_by, sort_direction }: AggregationBody): AggregationPlan['sort'] {
  // Checked even when nothing is sorted: a misspelt direction is a mistake of the client.
  const [key] = parseSort({ sort_direction }, { loc: ['body'] })
  return sort_by ? { name: sort_by, direction: key!.direction } : null
}

function unknownName(loc: Violation['loc'], name: string, names: ReadonlySet<string>): Violation {
  return fault(loc, `"${name}" is no alias and no group of this aggregation (${[...names].join(', ')})`)
}

const fault = (loc: Violation['loc'], msg: string): Violation => ({ loc, msg, type: 'value_error' })
