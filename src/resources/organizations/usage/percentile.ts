import { LATENCY_BOUNDS_MS } from '../../../platform/db/tables/organization-tables.ts'

/**
 * A percentile of latencies, in milliseconds, from their counts by bound: exact to the width of the
 * bound's range, in which they are taken as spread evenly. Past the last bound it is that bound.
 */
export function percentile(counts: readonly number[], share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return 0
  const rank = total * share
  let before = 0
  for (const [i, upper_ms] of LATENCY_BOUNDS_MS.entries()) {
    const count = counts[i] ?? 0
    if (before + count >= rank) {
      const lower_ms = LATENCY_BOUNDS_MS[i - 1] ?? 0
      return count === 0 ? lower_ms : lower_ms + ((upper_ms - lower_ms) * (rank - before)) / count
    }
    before += count
  }
  return LATENCY_BOUNDS_MS.at(-1)!
}
