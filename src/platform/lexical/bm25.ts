import { type Ranked, TopK } from '../derived-index/top-k.ts'
import type { Postings } from './posting-store.ts'
import type { TextTable } from './text-table.ts'

const K1 = 1.2
const B = 0.75
/** Sums of a few dozen doubles may differ in the last digits; a bound must not lose to that. */
const ROUNDING = 1 + 1e-9

/** Finding one document by galloping takes as long as walking past so many. */
const GALLOP_COST = 16

/** One word of a query, as the index knows it. */
export type QueryTerm = {
  postings: Postings[]
  document_count: number
  /** How often the query says the word. */
  times: number
  /** Bounds of its occurrences, for an upper bound of its score. */
  count_max: number
  length_min: number
}

type Weighted = { postings: Postings[]; weight: number; upper: number }

/**
 * Exact BM25, term by term. Terms are taken by how much they can add, most first. When what the
 * rest can add is less than the score of the k-th best so far, documents that hold only the rest
 * cannot come in, so the rest is looked up for the few documents that are still in question instead
 * of being walked through: common words, which have the longest postings, cost next to nothing.
 */
export class Bm25 {
  readonly #texts: TextTable
  readonly #base: number
  readonly #perWord: number
  readonly #scores: Float64Array<ArrayBuffer>
  readonly #touched: Uint32Array<ArrayBuffer>
  #touchedCount = 0

  /** `scratch` is zero everywhere and is left so; it is as long as the table has slots, or longer. */
  constructor(
    texts: TextTable,
    scratch: { scores: Float64Array<ArrayBuffer>; touched: Uint32Array<ArrayBuffer> },
  ) {
    this.#texts = texts
    this.#base = K1 * (1 - B)
    this.#perWord = texts.averageLength === 0 ? 0 : (K1 * B) / texts.averageLength
    this.#scores = scratch.scores
    this.#touched = scratch.touched
  }

  best(query: readonly QueryTerm[], k: number): Ranked & { complete: boolean } {
    const terms = this.#weighted(query)
    let next = 0
    let rest = terms.reduce((sum, { upper }) => sum + upper, 0)
    let reached = 0
    let threshold = Number.NEGATIVE_INFINITY
    while (next < terms.length && !(rest * ROUNDING < threshold)) {
      const term = terms[next++]!
      this.#addAll(term)
      rest -= term.upper
      reached += term.upper
      // The k-th best cannot exceed what has been added at most, so mostly there is no need to look.
      if (next < terms.length && rest < reached) threshold = this.#kthScore(k)
    }
    if (next < terms.length) this.#addToFew(terms.slice(next), rest, threshold)
    const best = new TopK(k)
    this.#offerTouched(best)
    this.#clear()
    return { ...best.ranked(), complete: best.size < k }
  }

  /** The best of the documents in these slots (ascending) that hold any of the words. */
  among(query: readonly QueryTerm[], slots: Uint32Array, k: number): Ranked & { complete: boolean } {
    for (const term of this.#weighted(query)) this.#addTo(slots, term)
    const best = new TopK(k)
    const { seqs } = this.#texts
    for (const slot of slots) {
      if (this.#scores[slot]! > 0) best.offer(seqs[slot]!, this.#scores[slot]!)
      this.#scores[slot] = 0
    }
    return { ...best.ranked(), complete: best.size < k }
  }

  #weighted(query: readonly QueryTerm[]): Weighted[] {
    const documents = this.#texts.count
    return query
      .map(({ postings, document_count, times, count_max, length_min }) => {
        // The form that is above 0 for every word, also for one in most documents (as Lucene has it).
        const idf = Math.log(1 + (documents - document_count + 0.5) / (document_count + 0.5))
        const weight = times * idf * (K1 + 1)
        const norm = this.#base + this.#perWord * length_min
        return { postings, weight, upper: (weight * count_max) / (count_max + norm) }
      })
      .sort((a, b) => b.upper - a.upper)
  }

  #addAll({ postings, weight }: Weighted): void {
    const scores = this.#scores
    const touched = this.#touched
    const { lengths } = this.#texts
    const base = this.#base
    const perWord = this.#perWord
    let end = this.#touchedCount
    for (const { slots, counts } of postings) {
      for (let i = 0; i < slots.length; i += 1) {
        const slot = slots[i]!
        const count = counts[i]!
        const score = scores[slot]!
        if (score === 0) touched[end++] = slot
        scores[slot] = score + (weight * count) / (count + base + perWord * lengths[slot]!)
      }
    }
    this.#touchedCount = end
  }

  /** Adds a term to the given slots (ascending) where it occurs, by galloping through its postings. */
  #addTo(wanted: Uint32Array, { postings, weight }: Weighted): void {
    const scores = this.#scores
    const { lengths } = this.#texts
    let next = 0
    for (const { slots, counts } of postings) {
      let at = 0
      while (next < wanted.length && at < slots.length) {
        const slot = wanted[next]!
        at = firstNotBelow(slots, at, slot)
        if (at === slots.length) break // The next part goes on with this slot.
        if (slots[at] === slot)
          scores[slot]! +=
            (weight * counts[at]!) / (counts[at]! + this.#base + this.#perWord * lengths[slot]!)
        next += 1
      }
    }
  }

  /** Adds the remaining terms to the documents that can still reach the threshold. */
  #addToFew(terms: readonly Weighted[], bound: number, threshold: number): void {
    let rest = bound
    let few = this.#touched.slice(0, this.#touchedCount)
    let isSorted = false
    for (const term of terms) {
      few = this.#reaching(few, threshold - rest * ROUNDING)
      const length = term.postings.reduce((sum, { slots }) => sum + slots.length, 0)
      if (few.length * GALLOP_COST > length) this.#addToTouched(term)
      else {
        if (!isSorted) few.sort()
        isSorted = true
        this.#addTo(few, term)
      }
      rest -= term.upper
    }
  }

  #reaching(slots: Uint32Array<ArrayBuffer>, limit: number): Uint32Array<ArrayBuffer> {
    const scores = this.#scores
    let end = 0
    for (let i = 0; i < slots.length; i += 1) {
      const slot = slots[i]!
      if (scores[slot]! >= limit) slots[end++] = slot
    }
    return slots.subarray(0, end)
  }

  /** Adds a term to every document touched so far, by walking through all its postings. */
  #addToTouched({ postings, weight }: Weighted): void {
    const scores = this.#scores
    const { lengths } = this.#texts
    const base = this.#base
    const perWord = this.#perWord
    for (const { slots, counts } of postings) {
      for (let i = 0; i < slots.length; i += 1) {
        const slot = slots[i]!
        const score = scores[slot]!
        if (score === 0) continue
        const count = counts[i]!
        scores[slot] = score + (weight * count) / (count + base + perWord * lengths[slot]!)
      }
    }
  }

  #kthScore(k: number): number {
    const best = new TopK(k)
    this.#offerTouched(best)
    return best.threshold
  }

  #offerTouched(best: TopK): void {
    const scores = this.#scores
    const touched = this.#touched
    const { alive, seqs } = this.#texts
    let threshold = best.threshold
    for (let i = 0; i < this.#touchedCount; i += 1) {
      const slot = touched[i]!
      const score = scores[slot]!
      if (score < threshold || alive[slot] !== 1) continue
      best.offer(seqs[slot]!, score)
      threshold = best.threshold
    }
  }

  #clear(): void {
    for (let i = 0; i < this.#touchedCount; i += 1) this.#scores[this.#touched[i]!] = 0
    this.#touchedCount = 0
  }
}

/** The first position at or after `from` whose value is not below `value`. */
function firstNotBelow(sorted: Uint32Array, from: number, value: number): number {
  let step = 1
  let low = from
  let high = from
  while (high < sorted.length && sorted[high]! < value) {
    low = high + 1
    high += step
    step *= 2
  }
  high = Math.min(high, sorted.length)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
