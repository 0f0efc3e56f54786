import Type, { type Static } from 'typebox'
import { Defaulted, FreeObject, Nullable } from '../schema.ts'

const optional = <T extends Type.TSchema>(schema: T) => Type.Optional(Nullable(schema))

const Name = Type.String({ minLength: 1, maxLength: 500 })

export const DATE_TRUNC_UNITS = ['year', 'month', 'week', 'day', 'hour', 'minute', 'second'] as const
export const DATE_PART_UNITS = [
  'year',
  'month',
  'week',
  'day',
  'dayOfWeek',
  'dayOfYear',
  'hour',
  'minute',
  'second',
] as const
export type DateTruncUnit = (typeof DATE_TRUNC_UNITS)[number]
export type DatePartUnit = (typeof DATE_PART_UNITS)[number]

export const GroupByField = Type.Object(
  {
    field: Name,
    alias: optional(Name),
    date_trunc: optional(Type.Enum([...DATE_TRUNC_UNITS], { $id: 'DateTruncUnit' })),
    date_part: optional(Type.Enum([...DATE_PART_UNITS], { $id: 'DatePartUnit' })),
  },
  { $id: 'GroupByField' },
)
export type GroupByField = Static<typeof GroupByField>

export const AGGREGATION_FUNCTIONS = [
  'count',
  'count_distinct',
  'sum',
  'avg',
  'min',
  'max',
  'first',
  'last',
  'push',
  'add_to_set',
] as const
export type AggregationFunction = (typeof AGGREGATION_FUNCTIONS)[number]

export const AggregationOperation = Type.Object(
  {
    function: Type.Enum([...AGGREGATION_FUNCTIONS], { $id: 'AggregationFunction' }),
    field: optional(Name),
    alias: Name,
    distinct_field: optional(Name),
  },
  { $id: 'AggregationOperation' },
)
export type AggregationOperation = Static<typeof AggregationOperation>

export const HavingCondition = Type.Object(
  { field: Name, operator: Type.String(), value: Type.Union([Type.Number(), Type.String()]) },
  { $id: 'HavingCondition' },
)
export type HavingCondition = Static<typeof HavingCondition>

export const RangeBucket = Type.Object(
  {
    field: Name,
    boundaries: Type.Array(Type.Number(), { minItems: 1, maxItems: 1000 }),
    default_bucket: optional(Name),
  },
  { $id: 'RangeBucket' },
)
export type RangeBucket = Static<typeof RangeBucket>

/** The members of an aggregation; objects and documents take the same. `filters` is any filter of lists. */
export const aggregationMembers = {
  group_by: Type.Array(GroupByField, { minItems: 1, maxItems: 20 }),
  aggregations: Type.Array(AggregationOperation, { minItems: 1, maxItems: 50 }),
  filters: optional(Type.Unknown()),
  having: optional(Type.Array(HavingCondition, { maxItems: 50 })),
  unwind: optional(Name),
  range_buckets: optional(Type.Array(RangeBucket, { maxItems: 20 })),
  sort_by: optional(Name),
  sort_direction: Defaulted(Type.String(), 'desc'),
  limit: optional(Type.Integer({ minimum: 1 })),
}

const AggregationMembers = Type.Object(aggregationMembers)
export type AggregationBody = Static<typeof AggregationMembers>

const AggregationResult = Type.Object(
  { group: FreeObject, metrics: FreeObject },
  { $id: 'AggregationResult' },
)

export const aggregationResponseMembers = {
  results: Type.Array(AggregationResult),
  total_groups: Type.Integer(),
  query_info: Type.Optional(FreeObject),
}

const AggregationResponseMembers = Type.Object(aggregationResponseMembers)
export type AggregationResponse = Static<typeof AggregationResponseMembers>
