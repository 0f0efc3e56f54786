import { exactSearch, MetricKind } from 'usearch'
import type { TopK } from '../derived-index/top-k.ts'
import type { VectorRows } from './vector-rows.ts'

/** Rows that usearch returns beyond those needed, so that ties at the edge can be told. */
const EDGE_ROWS = 16
/** How far two computations of a cosine may differ: Float32 sums err by about 1e-6. */
const EDGE_DISTANCE = 1e-5
/** Below so many rows a call into usearch costs more than it saves. */
const NATIVE_ROWS_MIN = 128

/**
 * Offers every live row of the slots [from, to) to `best`, scored exactly. Whole chunks of cosine
 * vectors go through usearch's exact search (0.07 µs a row of 384, JavaScript takes 0.29): it picks
 * candidates, which are scored again here.
 */
export function scanRange(
  rows: VectorRows,
  query: Float32Array,
  best: TopK,
  k: number,
  [from, to]: readonly [number, number],
  flags: Uint8Array | null,
): void {
  for (let slot = from; slot < to; ) {
    const chunk = Math.floor(slot / rows.chunkRows)
    const end = Math.min(to, (chunk + 1) * rows.chunkRows)
    const native = flags === null && rows.similarity.normalized && end - slot >= NATIVE_ROWS_MIN
    if (!native || !scanChunk(rows, query, best, k, chunk, slot, end))
      scanSlots(rows, query, best, slot, end, flags)
    slot = end
  }
}

function scanSlots(
  rows: VectorRows,
  query: Float32Array,
  best: TopK,
  from: number,
  to: number,
  flags: Uint8Array | null,
): void {
  for (let slot = from; slot < to; slot += 1) {
    if (rows.matches(slot, flags)) best.offer(rows.seqAt(slot), rows.score(slot, query))
  }
}

/** Returns false, having offered nothing, when it cannot vouch for the result. */
function scanChunk(
  rows: VectorRows,
  query: Float32Array,
  best: TopK,
  k: number,
  chunk: number,
  from: number,
  to: number,
): boolean {
  const count = to - from
  const wanted = k + rows.deadIn(chunk) + EDGE_ROWS
  if (wanted * 2 > count) return false
  const start = chunk * rows.chunkRows
  const held = rows.chunks[chunk]!
  // The binding ignores where in its buffer an array begins: only a view from 0 is read rightly.
  const vectors =
    from === start
      ? held.subarray(0, count * rows.dimensions)
      : held.slice((from - start) * rows.dimensions, (to - start) * rows.dimensions)
  const { keys, distances } = exactSearch(vectors, query, rows.dimensions, wanted, MetricKind.IP, 1) as {
    keys: BigUint64Array
    distances: Float32Array
  }
  // Rows that were not returned lie at the last distance or beyond. They must not reach the best k:
  // either k of this chunk are strictly better, or all that are kept already.
  const reachable = 1 - distances[distances.length - 1]! + EDGE_DISTANCE
  const slots = Uint32Array.from(keys, (key) => from + Number(key))
  const scores = Float64Array.from(slots, (slot) => rows.score(slot, query))
  let safe = 0
  for (let i = 0; i < slots.length; i += 1)
    if (scores[i]! > reachable && rows.matches(slots[i]!, null)) safe += 1
  if (safe < k && !(best.threshold > reachable)) return false
  for (let i = 0; i < slots.length; i += 1) {
    const slot = slots[i]!
    if (scores[i]! >= best.threshold && rows.matches(slot, null)) best.offer(rows.seqAt(slot), scores[i]!)
  }
  return true
}
