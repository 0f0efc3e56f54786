import { l2Normalize } from '../../lib/l2-normalize.ts'

export type Pooling = 'mean' | 'cls' | 'last' | 'none'

/**
 * One vector of length 1 for text `index` of a batch. `output` holds `width` rows of `dimensions` numbers
 * a text, of which the first `length` are real and the rest padding; with pooling `none` it holds
 * one row a text.
 */
export function pool(
  output: Float32Array,
  {
    pooling,
    index,
    width,
    length,
    dimensions,
  }: {
    pooling: Pooling
    index: number
    width: number
    length: number
    dimensions: number
  },
): Float32Array {
  const row = (place: number) => output.slice(place * dimensions, (place + 1) * dimensions)
  const start = index * width
  switch (pooling) {
    case 'none':
      return l2Normalize(row(index))
    case 'cls':
      return l2Normalize(row(start))
    case 'last':
      return l2Normalize(row(start + length - 1))
    case 'mean':
      return l2Normalize(sumOfRows(output, { start, length, dimensions }))
  }
}

/** The sum has the direction of the mean, which is all that is left after normalizing. */
function sumOfRows(
  output: Float32Array,
  { start, length, dimensions }: { start: number; length: number; dimensions: number },
): Float32Array {
  const sum = new Float32Array(dimensions)
  for (let place = start; place < start + length; place++) {
    const offset = place * dimensions
    for (let i = 0; i < dimensions; i++) sum[i]! += output[offset + i]!
  }
  return sum
}
