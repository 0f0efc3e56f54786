import type { GeoBox, GeoCircle } from './geo.ts'

/** The operators of the contract, and two of ours for fields that hold `{lat, lon}`. */
export const OPERATORS = [
  'eq',
  'ne',
  'gt',
  'gte',
  'lt',
  'lte',
  'in',
  'nin',
  'contains',
  'starts_with',
  'ends_with',
  'regex',
  'exists',
  'is_null',
  'text',
  'geo_radius',
  'geo_bounding_box',
] as const

export type Operator = (typeof OPERATORS)[number]
export type OrderOperator = 'gt' | 'gte' | 'lt' | 'lte'

/** One test of one field. `fold`: case does not count. Parsing has checked and normalized `value`. */
export type Condition = { readonly kind: 'condition'; readonly field: string } & Test

export type Test =
  /** Equal to any of the values. `negated` is the exact complement (`ne`, `nin`). */
  | {
      readonly operator: 'in'
      readonly value: readonly unknown[]
      readonly fold: boolean
      readonly negated: boolean
    }
  | {
      readonly operator: OrderOperator
      readonly value: string | number | boolean | null
      readonly fold: boolean
    }
  /** All of the values: substrings of a string, elements of an array. */
  | { readonly operator: 'contains'; readonly value: readonly unknown[]; readonly fold: boolean }
  | {
      readonly operator: 'starts_with' | 'ends_with' | 'regex'
      readonly value: string
      readonly fold: boolean
    }
  | { readonly operator: 'exists'; readonly value: boolean }
  | { readonly operator: 'text'; readonly value: string }
  | { readonly operator: 'geo_radius'; readonly value: GeoCircle }
  | { readonly operator: 'geo_bounding_box'; readonly value: GeoBox }

export type Group = {
  /** `not`: none of the children is true. */
  readonly kind: 'and' | 'or' | 'not'
  /** Never empty. */
  readonly children: readonly FilterNode[]
}

/** A parsed filter. Plain data: it can be sent as JSON and read back. */
export type FilterNode = Condition | Group

/** All conditions of a filter, for those who check fields against an index or a schema. */
export function* conditionsOf(node: FilterNode): Generator<Condition> {
  if (node.kind === 'condition') yield node
  else for (const child of node.children) yield* conditionsOf(child)
}
