/** Where a term occurs: slots ascending, and how often in each. */
export type Postings = { slots: Uint32Array; counts: Uint16Array }

/** What a snapshot holds of the postings. */
export type PackedPostings = { offsets: Float64Array; slots: Uint32Array; counts: Uint16Array }

const COUNT_MAX = 0xffff
/** New postings wait beside the packed ones until there are this many, or this share of them. */
const FRESH_MIN = 200_000
const FRESH_SHARE = 0.25
/** Postings moved for one unit of `step`. */
const MOVED_PER_UNIT = 250

/** New postings by term: slot and count in turn. */
type Fresh = { byTerm: Map<number, number[]>; size: number }
type Packing = { into: PackedPostings; term: number; end: number; fresh: Fresh; terms: number }

/**
 * All postings of an index. Most are packed into three arrays, which cost six bytes a posting and
 * go to disk as they are; new ones are collected by term and packed in bits. Slots only grow, so
 * the parts of a term follow each other in order.
 */
export class PostingStore {
  #packed: PackedPostings
  #fresh: Fresh = { byTerm: new Map(), size: 0 }
  #packing: Packing | undefined

  constructor(
    packed: PackedPostings = {
      offsets: new Float64Array(1),
      slots: new Uint32Array(0),
      counts: new Uint16Array(0),
    },
  ) {
    this.#packed = packed
  }

  get size(): number {
    return this.#packed.slots.length + this.#fresh.size + (this.#packing?.fresh.size ?? 0)
  }

  get isTidy(): boolean {
    if (this.#packing) return false
    return this.#fresh.size < Math.max(FRESH_MIN, this.#packed.slots.length * FRESH_SHARE)
  }

  /** So much is new that it should be packed before more is added, as when everything is read anew. */
  get isOverfull(): boolean {
    return this.#fresh.size > 4 * Math.max(FRESH_MIN, this.#packed.slots.length * FRESH_SHARE)
  }

  /** Slots MUST come in ascending order. */
  add(term: number, slot: number, count: number): void {
    let list = this.#fresh.byTerm.get(term)
    if (!list) {
      list = []
      this.#fresh.byTerm.set(term, list)
    }
    list.push(slot, Math.min(count, COUNT_MAX))
    this.#fresh.size += 1
  }

  /** The parts in which the postings of a term lie, in order of their slots. */
  of(term: number): Postings[] {
    const { offsets, slots, counts } = this.#packed
    const parts: Postings[] = []
    if (term + 1 < offsets.length && offsets[term + 1]! > offsets[term]!) {
      const [from, to] = [offsets[term]!, offsets[term + 1]!]
      parts.push({ slots: slots.subarray(from, to), counts: counts.subarray(from, to) })
    }
    for (const fresh of [this.#packing?.fresh, this.#fresh]) {
      const list = fresh?.byTerm.get(term)
      if (list) parts.push(unzipped(list))
    }
    return parts
  }

  /** Packs a bit more of what is new, leaving out postings of dead slots; `terms` is their number by now. */
  step(units: number, terms: number, isAlive: Uint8Array): void {
    this.#packing ??= this.#startPacking(terms)
    const packing = this.#packing
    const stop = packing.end + units * MOVED_PER_UNIT
    while (packing.term < packing.terms && packing.end < stop) this.#packTerm(packing, isAlive)
    if (packing.term < packing.terms) return
    const { into, end } = packing
    this.#packed = {
      offsets: into.offsets,
      slots: into.slots.slice(0, end),
      counts: into.counts.slice(0, end),
    }
    this.#packing = undefined
  }

  /** Packs everything at once. */
  pack(terms: number, isAlive: Uint8Array): PackedPostings {
    while (this.#packing) this.step(Number.POSITIVE_INFINITY, terms, isAlive)
    this.step(Number.POSITIVE_INFINITY, terms, isAlive)
    return this.#packed
  }

  /** Gives every packed slot its new number, in a new array: a snapshot may be writing the old one. */
  renumber(numbers: Uint32Array): void {
    const slots = this.#packed.slots.map((slot) => numbers[slot]!)
    this.#packed = { ...this.#packed, slots }
  }

  #startPacking(terms: number): Packing {
    const fresh = this.#fresh
    this.#fresh = { byTerm: new Map(), size: 0 }
    const room = this.#packed.slots.length + fresh.size
    const into = {
      offsets: new Float64Array(terms + 1),
      slots: new Uint32Array(room),
      counts: new Uint16Array(room),
    }
    return { into, term: 0, end: 0, fresh, terms }
  }

  #packTerm(packing: Packing, isAlive: Uint8Array): void {
    const { into, term, fresh } = packing
    const { offsets, slots, counts } = this.#packed
    const last = term + 1 < offsets.length ? offsets[term + 1]! : 0
    for (let i = term + 1 < offsets.length ? offsets[term]! : 0; i < last; i += 1) {
      if (isAlive[slots[i]!] !== 1) continue
      into.slots[packing.end] = slots[i]!
      into.counts[packing.end] = counts[i]!
      packing.end += 1
    }
    const list = fresh.byTerm.get(term) ?? []
    for (let i = 0; i < list.length; i += 2) {
      if (isAlive[list[i]!] !== 1) continue
      into.slots[packing.end] = list[i]!
      into.counts[packing.end] = list[i + 1]!
      packing.end += 1
    }
    packing.term += 1
    into.offsets[packing.term] = packing.end
  }
}

function unzipped(list: readonly number[]): Postings {
  const length = list.length / 2
  const slots = new Uint32Array(length)
  const counts = new Uint16Array(length)
  for (let i = 0; i < length; i += 1) {
    slots[i] = list[2 * i]!
    counts[i] = list[2 * i + 1]!
  }
  return { slots, counts }
}
