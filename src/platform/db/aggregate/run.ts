import { Aggregation, type AggregationOptions } from '../../../core/aggregate/aggregation.ts'
import type { AggregationPlan } from '../../../core/aggregate/plan.ts'
import type { AggregationResponse } from '../../../core/aggregate/schemas.ts'
import { inSlices, type SliceSource } from './slices.ts'

/**
 * Aggregates the rows of a source, which has applied the filter and walks in the order of creation. No
 * more than a slice of rows is in memory at a time.
 */
export async function runAggregation<Row>(
  plan: AggregationPlan,
  source: SliceSource<Row>,
  {
    toRecord,
    signal,
    ...options
  }: AggregationOptions & { toRecord: (row: Row) => unknown; signal?: AbortSignal },
): Promise<AggregationResponse> {
  const aggregation = new Aggregation(plan, options)
  for await (const rows of inSlices(source, { signal }))
    for (const row of rows) aggregation.add(toRecord(row))
  return aggregation.finish()
}
