import type { RangeBucket } from './schemas.ts'

const OTHER = 'other'

/**
 * The label of the range that a number lies in: ranges are `(lo, hi]`, the first one includes its lower
 * bound. What lies outside, and what is no number, is in `default_bucket`, or `other`.
 */
export function rangeLabel({ boundaries, default_bucket }: RangeBucket): (value: unknown) => string {
  const labels = boundaries.slice(1).map((high, i) => `${boundaries[i]}-${high}`)
  const rest = default_bucket ?? OTHER
  return (value) => {
    if (typeof value !== 'number' || value < boundaries[0]!) return rest
    // The first range whose upper bound is not below the value, by halving.
    let low = 0
    let high = labels.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (boundaries[middle + 1]! >= value) high = middle
      else low = middle + 1
    }
    return labels[low] ?? rest
  }
}
