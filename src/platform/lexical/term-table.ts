import { grown } from './text-table.ts'

/** What a snapshot holds of the terms; all arrays are by term number. */
export type PackedTerms = {
  words: string[]
  document_counts: Uint32Array<ArrayBuffer>
  counts_max: Uint16Array<ArrayBuffer>
  lengths_min: Uint32Array<ArrayBuffer>
}

const FIRST_TERMS = 1024
const COUNT_MAX = 0xffff

/**
 * The words of an index by number, with what bounds their scores: in how many documents they occur,
 * how often at most in one, and how short the shortest of these is. Removals leave the bounds as
 * they are (too generous, never wrong); document counts are then taken anew when asked for.
 */
export class TermTable {
  readonly #numberOf = new Map<string, number>()
  readonly #words: string[] = []
  #documentCounts = new Uint32Array(FIRST_TERMS)
  #countsMax = new Uint16Array(FIRST_TERMS)
  #lengthsMin = new Uint32Array(FIRST_TERMS)
  /** The epoch in which a document count was last known to be right. */
  #countedIn = new Uint32Array(FIRST_TERMS)
  /** Every removal of a document begins a new epoch. */
  #epoch = 0

  constructor(packed?: PackedTerms) {
    if (!packed) return
    for (const word of packed.words) this.#numberOf.set(word, this.#words.push(word) - 1)
    this.#documentCounts = packed.document_counts
    this.#countsMax = packed.counts_max
    this.#lengthsMin = packed.lengths_min
    this.#countedIn = new Uint32Array(packed.document_counts.length)
    // Counts may have been saved after removals, so none is trusted before it was taken once.
    this.#epoch = 1
  }

  get size(): number {
    return this.#words.length
  }

  find(word: string): number | undefined {
    return this.#numberOf.get(word)
  }

  numberOf(word: string): number {
    return this.#numberOf.get(word) ?? this.#add(word)
  }

  /** Notes that a new document of `length` words holds the term so many times. */
  note(term: number, count: number, length: number): void {
    this.#documentCounts[term]! += 1
    this.#countsMax[term] = Math.max(this.#countsMax[term]!, Math.min(count, COUNT_MAX))
    this.#lengthsMin[term] = Math.min(this.#lengthsMin[term]!, length)
  }

  noteRemoval(): void {
    this.#epoch += 1
  }

  /** How many live documents hold the term; `recount` is called when removals may have changed it. */
  documentCount(term: number, recount: () => number): number {
    if (this.#countedIn[term] !== this.#epoch) {
      this.#documentCounts[term] = recount()
      this.#countedIn[term] = this.#epoch
    }
    return this.#documentCounts[term]!
  }

  countMax(term: number): number {
    return this.#countsMax[term]!
  }

  lengthMin(term: number): number {
    return this.#lengthsMin[term]!
  }

  packed(): PackedTerms {
    return {
      words: [...this.#words],
      document_counts: this.#documentCounts.slice(0, this.size),
      counts_max: this.#countsMax.slice(0, this.size),
      lengths_min: this.#lengthsMin.slice(0, this.size),
    }
  }

  #add(word: string): number {
    const term = this.#words.push(word) - 1
    if (term >= this.#documentCounts.length) this.#grow()
    this.#numberOf.set(word, term)
    this.#documentCounts[term] = 0
    this.#countsMax[term] = 0
    this.#lengthsMin[term] = 0xffffffff
    this.#countedIn[term] = this.#epoch
    return term
  }

  #grow(): void {
    const length = Math.max(FIRST_TERMS, this.#documentCounts.length * 2)
    this.#documentCounts = grown(this.#documentCounts, new Uint32Array(length))
    this.#countsMax = grown(this.#countsMax, new Uint16Array(length))
    this.#lengthsMin = grown(this.#lengthsMin, new Uint32Array(length))
    this.#countedIn = grown(this.#countedIn, new Uint32Array(length))
  }
}
