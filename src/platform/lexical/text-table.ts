import { crc32 } from 'node:zlib'

export type TextRow = { document_seq: number; text: string }

/** What a snapshot holds of the documents. */
export type PackedTexts = {
  seqs: Float64Array<ArrayBuffer>
  lengths: Uint32Array<ArrayBuffer>
  checksums: Uint32Array<ArrayBuffer>
  alive: Uint8Array<ArrayBuffer>
}

const FIRST_SLOTS = 64

/**
 * The documents of an index by slot: their numbers, lengths in words, and checksums, by which a text
 * that comes again is known. Slots are only appended; removed documents leave dead ones behind.
 */
export class TextTable {
  #packed: PackedTexts
  #size: number
  #totalLength = 0
  readonly #slotOf = new Map<number, number>()

  constructor(packed?: PackedTexts) {
    this.#size = packed?.seqs.length ?? 0
    this.#packed = packed ?? {
      seqs: new Float64Array(FIRST_SLOTS),
      lengths: new Uint32Array(FIRST_SLOTS),
      checksums: new Uint32Array(FIRST_SLOTS),
      alive: new Uint8Array(FIRST_SLOTS),
    }
    for (let slot = 0; slot < this.#size; slot += 1) if (this.#packed.alive[slot] === 1) this.#enter(slot)
  }

  /** Slots in use, dead ones among them. */
  get size(): number {
    return this.#size
  }

  get count(): number {
    return this.#slotOf.size
  }

  get averageLength(): number {
    return this.count === 0 ? 0 : this.#totalLength / this.count
  }

  get lengths(): Uint32Array {
    return this.#packed.lengths
  }

  get seqs(): Float64Array {
    return this.#packed.seqs
  }

  get alive(): Uint8Array {
    return this.#packed.alive
  }

  keys(): Iterable<number> {
    return this.#slotOf.keys()
  }

  slotOf(document_seq: number): number | undefined {
    return this.#slotOf.get(document_seq)
  }

  /** Whether this text is held; texts of the same checksum are taken for equal. */
  holds({ document_seq, text }: TextRow): boolean {
    const slot = this.#slotOf.get(document_seq)
    return slot !== undefined && this.#packed.checksums[slot] === crc32(text)
  }

  /** Returns the slot of the new document; one of the same number must have been removed. */
  add({ document_seq, text }: TextRow, length: number): number {
    const slot = this.#size
    if (slot >= this.#packed.seqs.length) this.#grow()
    const { seqs, lengths, checksums, alive } = this.#packed
    seqs[slot] = document_seq
    lengths[slot] = length
    checksums[slot] = crc32(text)
    alive[slot] = 1
    this.#size += 1
    this.#enter(slot)
    return slot
  }

  remove(document_seq: number): boolean {
    const slot = this.#slotOf.get(document_seq)
    if (slot === undefined) return false
    this.#slotOf.delete(document_seq)
    this.#packed.alive[slot] = 0
    this.#totalLength -= this.#packed.lengths[slot]!
    return true
  }

  /** A copy, as it is now. */
  packed(): PackedTexts {
    const { seqs, lengths, checksums, alive } = this.#packed
    const size = this.#size
    return {
      seqs: seqs.slice(0, size),
      lengths: lengths.slice(0, size),
      checksums: checksums.slice(0, size),
      alive: alive.slice(0, size),
    }
  }

  /** The same documents without dead slots, and the new number of every live slot. */
  tidied(): { table: TextTable; numbers: Uint32Array } {
    const { alive } = this.#packed
    const live = Array.from({ length: this.#size }, (_, slot) => slot).filter((slot) => alive[slot] === 1)
    const numbers = new Uint32Array(this.#size)
    for (const [number, slot] of live.entries()) numbers[slot] = number
    const { seqs, lengths, checksums } = this.#packed
    const table = new TextTable({
      seqs: Float64Array.from(live, (slot) => seqs[slot]!),
      lengths: Uint32Array.from(live, (slot) => lengths[slot]!),
      checksums: Uint32Array.from(live, (slot) => checksums[slot]!),
      alive: new Uint8Array(live.length).fill(1),
    })
    return { table, numbers }
  }

  #enter(slot: number): void {
    this.#slotOf.set(this.#packed.seqs[slot]!, slot)
    this.#totalLength += this.#packed.lengths[slot]!
  }

  #grow(): void {
    const length = Math.max(FIRST_SLOTS, this.#packed.seqs.length * 2)
    const { seqs, lengths, checksums, alive } = this.#packed
    this.#packed = {
      seqs: grown(seqs, new Float64Array(length)),
      lengths: grown(lengths, new Uint32Array(length)),
      checksums: grown(checksums, new Uint32Array(length)),
      alive: grown(alive, new Uint8Array(length)),
    }
  }
}

export function grown<T extends { set(source: T): void }>(from: T, into: T): T {
  into.set(from)
  return into
}
