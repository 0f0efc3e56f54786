import type { AggregationBody } from '../../src/core/aggregate/schemas.ts'
import { canonicalJson } from '../../src/core/json.ts'

type Json = Record<string, unknown>
type Row = { record: Json; element: unknown }

/**
 * Aggregation as a person would do it with paper, for flat records whose fields are at the root: the
 * reference of the property test. Groups come as a map, so that order is tested elsewhere.
 */
export function naiveAggregate(records: readonly Json[], body: AggregationBody): Map<string, Json> {
  const read = ({ record, element }: Row, field: string): unknown =>
    (field === body.unwind ? element : record[field]) ?? null
  const rows = records.flatMap((record): Row[] => {
    if (!body.unwind) return [{ record, element: null }]
    const value = record[body.unwind]
    if (value === undefined || value === null) return []
    return (Array.isArray(value) ? value : [value]).map((element) => ({ record, element }))
  })
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const group = Object.fromEntries(body.group_by.map(({ field }) => [field, read(row, field)]))
    const key = canonicalJson(group)
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return new Map(
    [...groups].map(([key, members]) => [
      key,
      Object.fromEntries(
        body.aggregations.map((operation) => {
          const field = operation.field ?? ''
          const isThere = ({ record }: Row) => field === body.unwind || Object.hasOwn(record, field)
          const all = members.map((row) => read(row, field))
          const present = members.filter(isThere).map((row) => read(row, field))
          return [operation.alias, metric(operation.function, members.length, all, present)]
        }),
      ),
    ]),
  )
}

function metric(name: string, rows: number, all: unknown[], present: unknown[]): unknown {
  const numbers = present.filter((value): value is number => typeof value === 'number')
  const sum = numbers.reduce((total, value) => total + value, 0)
  const identities = [...new Set(present.map((value) => canonicalJson(value)))]
  switch (name) {
    case 'count':
      return rows
    case 'count_distinct':
      return identities.filter((value) => value !== 'null').length
    case 'sum':
      return sum
    case 'avg':
      return numbers.length === 0 ? null : sum / numbers.length
    case 'min':
      return numbers.length === 0 ? null : Math.min(...numbers)
    case 'max':
      return numbers.length === 0 ? null : Math.max(...numbers)
    case 'first':
      return all[0] ?? null
    case 'last':
      return all.at(-1) ?? null
    case 'push':
      return present
    default:
      return identities.map((value) => JSON.parse(value))
  }
}
