/** Parallel arrays: the document at `i` has the score at `i`; best first. */
export type Ranked = { seqs: Float64Array; scores: Float64Array }

/**
 * Keeps the best `k` of what it is offered. Better is a higher score, then a lower number: equal
 * scores come in the same order whoever found them. A heap with the worst at its root, in typed
 * arrays, because it sits in the inner loop of exact scans.
 */
export class TopK {
  readonly #k: number
  #scores: Float64Array
  #seqs: Float64Array
  #size = 0

  constructor(k: number) {
    this.#k = k
    const capacity = Math.min(k, 1024)
    this.#scores = new Float64Array(capacity)
    this.#seqs = new Float64Array(capacity)
  }

  get size(): number {
    return this.#size
  }

  /** The score that a newcomer has to reach; -Infinity while there is room. */
  get threshold(): number {
    return this.#size < this.#k ? Number.NEGATIVE_INFINITY : this.#scores[0]!
  }

  offer(seq: number, score: number): void {
    if (this.#size < this.#k) {
      if (this.#size === this.#scores.length) this.#grow()
      this.#rise(this.#size++, seq, score)
    } else if (score > this.#scores[0]! || (score === this.#scores[0]! && seq < this.#seqs[0]!)) {
      this.#sink(seq, score)
    }
  }

  ranked(): Ranked {
    const order = Array.from({ length: this.#size }, (_, i) => i)
    const scores = this.#scores
    const seqs = this.#seqs
    order.sort((a, b) => scores[b]! - scores[a]! || seqs[a]! - seqs[b]!)
    return {
      seqs: Float64Array.from(order, (i) => seqs[i]!),
      scores: Float64Array.from(order, (i) => scores[i]!),
    }
  }

  #grow(): void {
    const capacity = Math.min(this.#k, this.#scores.length * 4)
    const scores = new Float64Array(capacity)
    const seqs = new Float64Array(capacity)
    scores.set(this.#scores)
    seqs.set(this.#seqs)
    this.#scores = scores
    this.#seqs = seqs
  }

  #rise(start: number, seq: number, score: number): void {
    const scores = this.#scores
    const seqs = this.#seqs
    let i = start
    while (i > 0) {
      const parent = (i - 1) >> 1
      const parentScore = scores[parent]!
      if (parentScore < score || (parentScore === score && seqs[parent]! > seq)) break
      scores[i] = parentScore
      seqs[i] = seqs[parent]!
      i = parent
    }
    scores[i] = score
    seqs[i] = seq
  }

  /** Replaces the root. */
  #sink(seq: number, score: number): void {
    const scores = this.#scores
    const seqs = this.#seqs
    const size = this.#size
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= size) break
      const right = child + 1
      if (
        right < size &&
        (scores[right]! < scores[child]! ||
          (scores[right]! === scores[child]! && seqs[right]! > seqs[child]!))
      )
        child = right
      const childScore = scores[child]!
      if (childScore > score || (childScore === score && seqs[child]! < seq)) break
      scores[i] = childScore
      seqs[i] = seqs[child]!
      i = child
    }
    scores[i] = score
    seqs[i] = seq
  }
}

/**
 * Puts a ranking in order that is almost in order already, as candidates of a graph are: rounding
 * moved them by a few places. Insertion takes a step a place; a heap would sort from scratch.
 */
export function sortNearlySorted({ seqs, scores }: Ranked): void {
  for (let i = 1; i < seqs.length; i += 1) {
    const seq = seqs[i]!
    const score = scores[i]!
    let at = i
    while (at > 0 && (scores[at - 1]! < score || (scores[at - 1] === score && seqs[at - 1]! > seq))) {
      seqs[at] = seqs[at - 1]!
      scores[at] = scores[at - 1]!
      at -= 1
    }
    seqs[at] = seq
    scores[at] = score
  }
}
