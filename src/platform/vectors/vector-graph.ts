import { availableParallelism } from 'node:os'
import { Index, MetricKind, ScalarKind } from 'usearch'
import type { VectorRows } from './vector-rows.ts'

/**
 * Measured at 100k x 384 (bench/vector-index.ts): connectivity 16 with expansion 64 builds in half
 * the time of expansion 128 (8 s against 20 s on two cores) and finds as much when a search looks
 * at a few candidates more, which `LOOK_MIN` in vector-index.ts does.
 */
const CONNECTIVITY = 16
const EXPANSION_ADD = 64
/** usearch looks at max(expansion_search, k) candidates; k alone decides here. */
const EXPANSION_SEARCH = 16

/** Threads of a bulk build. The graph is told this number whenever it grows, see `add`. */
const THREADS_MAX = Math.min(availableParallelism(), 8)

/** usearch's HNSW over the slots of a VectorRows, values as bf16: half the memory of Float32. */
export class VectorGraph {
  readonly #rows: VectorRows
  readonly #index: Index
  /** Slots [0, size) have been added, dead ones among them. */
  #size = 0

  constructor(rows: VectorRows) {
    this.#rows = rows
    this.#index = new Index({
      dimensions: rows.dimensions,
      metric: rows.similarity.metric ?? MetricKind.IP,
      quantization: ScalarKind.BF16,
      connectivity: CONNECTIVITY,
      expansion_add: EXPANSION_ADD,
      expansion_search: EXPANSION_SEARCH,
      multi: false,
    })
  }

  get size(): number {
    return this.#size
  }

  /** Adds the next slots of the rows, at most `count` and none beyond a chunk's end. */
  add(count: number, { bulk }: { bulk: boolean }): void {
    const from = this.#size
    const chunk = Math.floor(from / this.#rows.chunkRows)
    const to = Math.min(from + count, this.#rows.size, (chunk + 1) * this.#rows.chunkRows)
    if (to <= from) return
    const start = (from % this.#rows.chunkRows) * this.#rows.dimensions
    const vectors = this.#rows.chunks[chunk]!.subarray(start, start + (to - from) * this.#rows.dimensions)
    const keys = BigUint64Array.from({ length: to - from }, (_, i) => BigInt(from + i))
    // When the graph grows, usearch makes room for as many threads as this call names. Naming fewer
    // here would make a later call with more threads fail.
    const grows = Number(this.#index.size()) + keys.length >= Number(this.#index.capacity())
    this.#index.add(keys, vectors, bulk || grows ? THREADS_MAX : 1)
    this.#size = to
  }

  /** The nearest slots, best first, by values rounded to bf16; dead slots are among them. */
  nearest(query: Float32Array, k: number): number[] {
    if (this.#size === 0) return []
    const { keys } = this.#index.search(query, Math.min(k, this.#size), 1)
    return Array.from(keys, Number)
  }

  save(path: string): void {
    this.#index.save(path)
  }

  /** Only for files that were verified: usearch ends the process when it reads a damaged one. */
  static load(rows: VectorRows, path: string, size: number): VectorGraph {
    const graph = new VectorGraph(rows)
    graph.#index.load(path)
    if (Number(graph.#index.size()) !== size || Number(graph.#index.dimensions()) !== rows.dimensions)
      throw new Error('The graph file holds another number of vectors than its description says.')
    graph.#size = size
    return graph
  }
}
