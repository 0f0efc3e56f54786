/** Prints a figure; further values follow it. */
export function report(name: string, value: number | string, unit = ''): void {
  const shown = typeof value === 'number' ? value.toFixed(value < 10 ? 2 : 0) : value
  console.log(`${name}: ${shown} ${unit}`.trimEnd())
}

/** Median and 95th percentile of times in milliseconds, as text for `report`. */
export function latencies(times: readonly number[]): [string] {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
  return [`p50 ${at(0.5).toFixed(2)} ms, p95 ${at(0.95).toFixed(2)} ms`]
}
