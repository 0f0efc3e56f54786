import type { Similarity } from './similarity.ts'

export type VectorRow = { document_seq: number; collection_id: string; vector: Float32Array }

/** Which collections a search wants: a flag by ordinal (null: all), and how many live rows that are. */
export type Wanted = { flags: Uint8Array | null; count: number }

/** Who lives in each slot; collections are numbers into `collection_ids`. */
export type Directory = {
  collection_ids: string[]
  seqs: Float64Array<ArrayBuffer>
  collections: Uint32Array<ArrayBuffer>
  alive: Uint8Array<ArrayBuffer>
}

/** 8 MB a chunk: big enough to scan without overhead, small enough to allocate at any time. */
const CHUNK_FLOATS = 2 ** 21
const FIRST_ROWS = 64

/**
 * The vectors of one index in memory. Rows live in slots, which are only ever appended: an overwrite
 * or a delete leaves a dead slot behind. So a slot below a known size never changes its vector, and
 * a graph or a snapshot being written can rely on that. Rows are kept as Float32 beside the graph,
 * because usearch's binding cannot hand back what it holds.
 */
export class VectorRows {
  readonly dimensions: number
  readonly similarity: Similarity
  readonly chunkRows: number
  readonly #chunks: Float32Array[] = []
  readonly #deadOfChunk: number[] = []
  #seqs = new Float64Array(FIRST_ROWS)
  #collections = new Uint32Array(FIRST_ROWS)
  #alive = new Uint8Array(FIRST_ROWS)
  #size = 0
  readonly #slotOf = new Map<number, number>()
  readonly #ordinals = new Map<string, number>()
  readonly #collectionIds: string[] = []
  readonly #countOf: number[] = []

  constructor(dimensions: number, similarity: Similarity) {
    this.dimensions = dimensions
    this.similarity = similarity
    this.chunkRows = Math.max(1, Math.floor(CHUNK_FLOATS / dimensions))
  }

  /** Slots in use, dead ones among them. */
  get size(): number {
    return this.#size
  }

  /** Live rows. */
  get count(): number {
    return this.#slotOf.size
  }

  get chunks(): readonly Float32Array[] {
    return this.#chunks
  }

  deadIn(chunk: number): number {
    return this.#deadOfChunk[chunk] ?? 0
  }

  slotOf(document_seq: number): number | undefined {
    return this.#slotOf.get(document_seq)
  }

  seqs(): Iterable<number> {
    return this.#slotOf.keys()
  }

  seqAt(slot: number): number {
    return this.#seqs[slot]!
  }

  collectionAt(slot: number): string {
    return this.#collectionIds[this.#collections[slot]!]!
  }

  /** Whether the slot is live and of a wanted collection. */
  matches(slot: number, flags: Uint8Array | null): boolean {
    return this.#alive[slot] === 1 && (flags === null || flags[this.#collections[slot]!] === 1)
  }

  vectorAt(slot: number): Float32Array {
    const offset = (slot % this.chunkRows) * this.dimensions
    return this.#chunks[Math.floor(slot / this.chunkRows)]!.subarray(offset, offset + this.dimensions)
  }

  score(slot: number, query: Float32Array): number {
    const chunk = this.#chunks[Math.floor(slot / this.chunkRows)]!
    return this.similarity.score(chunk, (slot % this.chunkRows) * this.dimensions, query)
  }

  wanted(collection_ids: readonly string[]): Wanted {
    const flags = new Uint8Array(this.#ordinals.size)
    let count = 0
    for (const collection_id of collection_ids) {
      const ordinal = this.#ordinals.get(collection_id)
      if (ordinal === undefined || flags[ordinal] === 1) continue
      flags[ordinal] = 1
      count += this.#countOf[ordinal]!
    }
    return { flags: count === this.count ? null : flags, count }
  }

  /** Whether exactly this row is held already: changes are often applied twice. */
  holds({ document_seq, collection_id, vector }: VectorRow): boolean {
    const slot = this.#slotOf.get(document_seq)
    if (slot === undefined || this.#collections[slot] !== this.#ordinals.get(collection_id)) return false
    const held = this.vectorAt(slot)
    return held.length === vector.length && held.every((value, i) => value === vector[i])
  }

  put({ document_seq, collection_id, vector }: VectorRow): void {
    if (vector.length !== this.dimensions)
      throw new Error(`The vector of document ${document_seq} has ${vector.length} numbers.`)
    this.delete(document_seq)
    const slot = this.#size
    this.#makeRoom(slot)
    this.vectorAt(slot).set(vector)
    const ordinal = this.#ordinalOf(collection_id)
    this.#seqs[slot] = document_seq
    this.#collections[slot] = ordinal
    this.#alive[slot] = 1
    this.#countOf[ordinal]! += 1
    this.#slotOf.set(document_seq, slot)
    this.#size += 1
  }

  delete(document_seq: number): void {
    const slot = this.#slotOf.get(document_seq)
    if (slot === undefined) return
    this.#slotOf.delete(document_seq)
    this.#alive[slot] = 0
    this.#countOf[this.#collections[slot]!]! -= 1
    this.#deadOfChunk[Math.floor(slot / this.chunkRows)]! += 1
  }

  /** Everything but the vectors, as it is now. */
  directory(): Directory {
    return {
      collection_ids: [...this.#collectionIds],
      seqs: this.#seqs.slice(0, this.#size),
      collections: this.#collections.slice(0, this.#size),
      alive: this.#alive.slice(0, this.#size),
    }
  }

  /** The vectors of the first `size` slots, in order, without copying them. */
  parts(size: number): Float32Array[] {
    return this.#chunks.flatMap((chunk, i) => {
      const rows = Math.min(size - i * this.chunkRows, this.chunkRows)
      return rows > 0 ? [chunk.subarray(0, rows * this.dimensions)] : []
    })
  }

  /**
   * Takes over what `directory` gave and makes room for its vectors, which the caller reads into
   * `parts(size)` before anyone searches.
   */
  restore({ collection_ids, seqs, collections, alive }: Directory): void {
    if (this.#size > 0) throw new Error('Only an empty set of rows can be restored.')
    for (const collection_id of collection_ids) this.#ordinalOf(collection_id)
    this.#seqs = seqs
    this.#collections = collections
    this.#alive = alive
    for (let slot = 0; slot < seqs.length; slot += this.chunkRows)
      this.#addChunk(Math.min(this.chunkRows, seqs.length - slot))
    this.#size = seqs.length
    for (let slot = 0; slot < seqs.length; slot += 1) {
      if (alive[slot] === 1) {
        this.#slotOf.set(seqs[slot]!, slot)
        this.#countOf[collections[slot]!]! += 1
      } else this.#deadOfChunk[Math.floor(slot / this.chunkRows)]! += 1
    }
  }

  #ordinalOf(collection_id: string): number {
    const known = this.#ordinals.get(collection_id)
    if (known !== undefined) return known
    const ordinal = this.#ordinals.size
    this.#ordinals.set(collection_id, ordinal)
    this.#collectionIds.push(collection_id)
    this.#countOf.push(0)
    return ordinal
  }

  #makeRoom(slot: number): void {
    if (slot >= this.#seqs.length) {
      const length = Math.max(FIRST_ROWS, this.#seqs.length * 2)
      this.#seqs = copyInto(new Float64Array(length), this.#seqs)
      this.#collections = copyInto(new Uint32Array(length), this.#collections)
      this.#alive = copyInto(new Uint8Array(length), this.#alive)
    }
    const chunk = Math.floor(slot / this.chunkRows)
    const row = slot % this.chunkRows
    if (chunk === this.#chunks.length) this.#addChunk(chunk === 0 ? FIRST_ROWS : this.chunkRows)
    const held = this.#chunks[chunk]!
    if (row * this.dimensions < held.length) return
    const rows = Math.min(this.chunkRows, (held.length / this.dimensions) * 2)
    this.#chunks[chunk] = copyInto(new Float32Array(rows * this.dimensions), held)
  }

  #addChunk(rows: number): void {
    this.#chunks.push(new Float32Array(Math.min(rows, this.chunkRows) * this.dimensions))
    this.#deadOfChunk.push(0)
  }
}

function copyInto<T extends Float32Array | Float64Array | Uint32Array | Uint8Array>(target: T, source: T): T {
  target.set(source)
  return target
}
