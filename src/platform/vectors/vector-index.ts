import { ChangeRate } from '../derived-index/change-rate.ts'
import type { Candidates, Probe } from '../derived-index/filtered-search.ts'
import type { DerivedIndex } from '../derived-index/kept-index.ts'
import { type Ranked, sortNearlySorted, TopK } from '../derived-index/top-k.ts'
import { scanRange } from './exact-scan.ts'
import type { Similarity } from './similarity.ts'
import { VectorGraph } from './vector-graph.ts'
import { type VectorRow, VectorRows, type Wanted } from './vector-rows.ts'

/** Up to so many numbers (5,400 rows of 384) an exact scan is as fast as a graph and needs no building. */
const EXACT_FLOATS_MAX = 2 ** 21
/**
 * The fewest candidates a graph search looks at, and how many for one that is wanted. Recall of the
 * ten best among 100,000 x 384 in 50 clusters: 64 candidates 0.976, 96 0.989, 128 0.997; of the
 * hundred best: 128 0.984, 192 0.995. 128 cost a third more than 96.
 */
const LOOK_MIN = 112
const LOOK_FACTOR = 2
/** Candidates scored exactly beyond those wanted: rounding to bf16 moves them by a few places. */
const RESCORE_EXTRA = 32
const RESCORE_FACTOR = 1.5
/** A probe may come back with fewer candidates than asked for: dead slots and other collections take places. */
const PROBE_SHARE = 0.7
/** When fewer rows than asked came back, how much further the next look goes. */
const LOOK_AGAIN_FACTOR = 4
/** Dead slots are left behind when they are this share of all, and enough to matter. */
const DEAD_SHARE_MAX = 1 / 3
const DEAD_MIN = 2000
/**
 * While many rows keep coming, up to so many numbers wait for the graph (44,000 rows of 384, 3 ms to scan):
 * building it then would take the processor from those who make the rows.
 */
const WAITING_FLOATS_MAX = 2 ** 24
/** More slots than this waiting for the graph are a bulk build, which uses every core. */
const BULK_SLOTS = 20_000
const COMPACT_ROWS = 2000
/** Memory beside the numbers: of a row (directory, map of slots) and of a slot in the graph (its links). */
const ROW_BYTES = 64
const GRAPH_LINK_BYTES = 300

/**
 * Costs in nanoseconds a number, to choose between plans: scanning by usearch, scanning in
 * JavaScript, and looking at one candidate in a graph (2.5 µs at 384 dimensions).
 */
const SCAN_NATIVE_NS = 0.18
const SCAN_NS = 0.75
const LOOK_NS = 6.5

/**
 * One vector index in memory: rows, a graph over the first of them, and the choice of plan. Results
 * are complete at any time, because slots that the graph lacks are scanned.
 */
export class VectorIndex implements DerivedIndex<VectorRow> {
  #rows: VectorRows
  #graph: VectorGraph | undefined
  /** A copy without dead slots that is being built; it takes over when its graph is complete. */
  #successor: { index: VectorIndex; nextSlot: number } | undefined
  #revision = 0
  readonly #changes = new ChangeRate()

  constructor(rows: VectorRows, graph?: VectorGraph) {
    this.#rows = rows
    this.#graph = graph
  }

  static empty(dimensions: number, similarity: Similarity): VectorIndex {
    return new VectorIndex(new VectorRows(dimensions, similarity))
  }

  get rows(): VectorRows {
    return this.#rows
  }

  get graph(): VectorGraph | undefined {
    return this.#graph
  }

  get count(): number {
    return this.#rows.count
  }

  get revision(): number {
    return this.#revision
  }

  get bytes(): number {
    const graph = (this.#graph?.size ?? 0) * (this.#rows.dimensions * 2 + GRAPH_LINK_BYTES)
    return this.#rows.size * (this.#rows.dimensions * 4 + ROW_BYTES) + graph
  }

  has(document_seq: number): boolean {
    return this.#rows.slotOf(document_seq) !== undefined
  }

  holds(row: VectorRow): boolean {
    return this.#rows.holds(row)
  }

  seqs(): Iterable<number> {
    return this.#rows.seqs()
  }

  put(row: VectorRow): void {
    if (this.#rows.holds(row)) return
    this.#noteChange()
    this.#rows.put(row)
    this.#successor?.index.put(row)
  }

  delete(document_seq: number): void {
    if (!this.has(document_seq)) return
    this.#noteChange()
    this.#rows.delete(document_seq)
    this.#successor?.index.delete(document_seq)
  }

  #noteChange(): void {
    this.#revision += 1
    this.#changes.note()
  }

  /** The `k` best rows of the collections; all of them when there are fewer. */
  search(query: Float32Array, k: number, collection_ids: readonly string[]): Candidates {
    const wanted = this.#rows.wanted(collection_ids)
    return this.#searchGraph(query, k, wanted) ?? this.#searchExactly(query, k, wanted)
  }

  /**
   * About the `k` best rows in the order of the graph, which is off by a few places. Not scoring them
   * again spares the fetching of each row from memory, 1 µs.
   */
  probe(query: Float32Array, k: number, collection_ids: readonly string[]): Probe {
    const wanted = this.#rows.wanted(collection_ids)
    const isWhole = this.#graph?.size === this.#rows.size
    const look = (Math.max(LOOK_MIN, k) * this.#rows.size) / wanted.count
    if (!isWhole || wanted.count <= k || !this.#isCheaper(look, wanted))
      return this.search(query, k, collection_ids)
    const slots = this.#wantedNear(query, look, wanted)
    if (slots.length < k * PROBE_SHARE) return this.search(query, k, collection_ids)
    const seqs = Float64Array.from(slots, (slot) => this.#rows.seqAt(slot))
    return { seqs, plan: 'hnsw', complete: false, total: wanted.count }
  }

  /** The `k` best of the given documents, those of other collections left out. */
  among(
    query: Float32Array,
    k: number,
    collection_ids: readonly string[],
    document_seqs: ArrayLike<number>,
  ): Candidates {
    const { flags, count } = this.#rows.wanted(collection_ids)
    if (count === 0) return nothing()
    const best = new TopK(k)
    for (let i = 0; i < document_seqs.length; i += 1) {
      const slot = this.#rows.slotOf(document_seqs[i]!)
      if (slot !== undefined && this.#rows.matches(slot, flags))
        best.offer(document_seqs[i]!, this.#rows.score(slot, query))
    }
    return { ...best.ranked(), plan: 'exact', complete: best.size < k, total: count }
  }

  #searchExactly(query: Float32Array, k: number, { flags, count }: Wanted): Candidates {
    if (count === 0) return nothing()
    const rows = this.#rows
    const best = new TopK(Math.min(k, count))
    scanRange(rows, query, best, k, [0, rows.size], flags)
    return { ...best.ranked(), plan: 'exact', complete: count < k, total: count }
  }

  /** Undefined when an exact scan is cheaper, or when the graph did not show enough wanted rows. */
  #searchGraph(query: Float32Array, k: number, wanted: Wanted): Candidates | undefined {
    const graph = this.#graph
    const rows = this.#rows
    if (!graph || graph.size === 0 || wanted.count <= k) return undefined
    let look = (Math.max(LOOK_MIN, k * LOOK_FACTOR) * rows.size) / wanted.count
    while (this.#isCheaper(look, wanted)) {
      const slots = this.#wantedNear(query, look, wanted)
      if (slots.length >= k) {
        const found = this.#scored(query, slots.slice(0, Math.ceil(k * RESCORE_FACTOR) + RESCORE_EXTRA))
        const ranked = graph.size === rows.size ? firstOf(found, k) : this.#withRest(found, query, k, wanted)
        return { ...ranked, plan: 'hnsw', complete: false, total: wanted.count }
      }
      look *= LOOK_AGAIN_FACTOR
    }
    return undefined
  }

  #wantedNear(query: Float32Array, look: number, { flags }: Wanted): number[] {
    return this.#graph!.nearest(query, Math.ceil(look)).filter((slot) => this.#rows.matches(slot, flags))
  }

  /** Candidates of the graph with exact scores, best first. */
  #scored(query: Float32Array, slots: readonly number[]): Ranked {
    const seqs = Float64Array.from(slots, (slot) => this.#rows.seqAt(slot))
    const scores = Float64Array.from(slots, (slot) => this.#rows.score(slot, query))
    sortNearlySorted({ seqs, scores })
    return { seqs, scores }
  }

  /** Adds the rows that are not in the graph. */
  #withRest({ seqs, scores }: Ranked, query: Float32Array, k: number, { flags }: Wanted): Ranked {
    const best = new TopK(k)
    for (const [i, seq] of seqs.entries()) best.offer(seq, scores[i]!)
    scanRange(this.#rows, query, best, k, [this.#graph!.size, this.#rows.size], flags)
    return best.ranked()
  }

  #isCheaper(look: number, { flags, count }: Wanted): boolean {
    if (look >= this.#graph!.size) return false
    // What is not in the graph is scanned either way.
    const share = this.#graph!.size / this.#rows.size
    const scan = flags === null ? this.#rows.size * SCAN_NATIVE_NS : count * SCAN_NS
    return look * LOOK_NS < scan * share
  }

  get isBusy(): boolean {
    return this.#changes.isHigh
  }

  /** Whether it is time for a `step`. */
  get hasWork(): boolean {
    return this.#successor !== undefined || this.#isDecayed || this.#isBuildDue
  }

  /** Slots that belong into the graph and are not there yet. */
  get #waiting(): number {
    const { size, dimensions, similarity } = this.#rows
    if (similarity.metric === null || size * dimensions <= EXACT_FLOATS_MAX) return 0
    return size - (this.#graph?.size ?? 0)
  }

  get #isBuildDue(): boolean {
    const waiting = this.#waiting
    if (waiting * this.#rows.dimensions > WAITING_FLOATS_MAX) return true
    return waiting > 0 && !this.isBusy
  }

  get #isDecayed(): boolean {
    const dead = this.#rows.size - this.#rows.count
    return dead > DEAD_MIN && dead > this.#rows.size * DEAD_SHARE_MAX
  }

  /** Does a little of what is due: `slots` into the graph, or some rows into a tidied copy. */
  step(slots: number): void {
    if (this.#successor) this.#buildSuccessor(slots)
    else if (this.#isDecayed)
      this.#successor = {
        index: VectorIndex.empty(this.#rows.dimensions, this.#rows.similarity),
        nextSlot: 0,
      }
    else if (this.#waiting > 0) this.#extendGraph(slots)
  }

  #extendGraph(slots: number): void {
    this.#graph ??= new VectorGraph(this.#rows)
    this.#revision += 1
    this.#graph.add(slots, { bulk: this.#waiting > BULK_SLOTS })
  }

  #buildSuccessor(slots: number): void {
    const { index, nextSlot } = this.#successor!
    const end = Math.min(nextSlot + COMPACT_ROWS, this.#rows.size)
    for (let slot = nextSlot; slot < end; slot += 1) {
      if (!this.#rows.matches(slot, null)) continue
      const vector = this.#rows.vectorAt(slot)
      index.put({
        document_seq: this.#rows.seqAt(slot),
        collection_id: this.#rows.collectionAt(slot),
        vector,
      })
    }
    if (end > nextSlot) {
      this.#successor!.nextSlot = end
    } else if (index.#waiting > 0) {
      index.#extendGraph(slots)
    } else {
      this.#rows = index.#rows
      this.#graph = index.#graph
      this.#successor = undefined
    }
  }
}

function firstOf({ seqs, scores }: Ranked, k: number): Ranked {
  return seqs.length <= k ? { seqs, scores } : { seqs: seqs.slice(0, k), scores: scores.slice(0, k) }
}

function nothing(): Candidates {
  return { seqs: new Float64Array(0), scores: new Float64Array(0), plan: 'exact', complete: true, total: 0 }
}
