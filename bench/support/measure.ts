import { percentile } from './statistics.ts'

/** Prints one figure. */
export function report(name: string, value: number | string, unit = ''): void {
  const shown = typeof value === 'number' ? value.toFixed(value < 10 ? 2 : 0) : value
  console.log(`${name}: ${shown} ${unit}`.trimEnd())
}

/** Median and 95th percentile of times in milliseconds, as text for `report`. */
export function latencies(times: readonly number[]): [string] {
  return [`p50 ${percentile(times, 0.5).toFixed(2)} ms, p95 ${percentile(times, 0.95).toFixed(2)} ms`]
}
