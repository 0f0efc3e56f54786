import type { VectorFilter, VectorMatch } from '../vectors/vectors.ts'
import type { Ranked } from './top-k.ts'

export type Candidates = Ranked & {
  plan: string
  /** There is nothing beyond these, so asking for more would return the same. */
  complete: boolean
  /** How many documents were searched. */
  total: number
}

/** A ranking that can be read from its top, or restricted to given documents. */
export type CandidateSource = {
  /** `probe`: the last of the k need not be right, because only some of the first are wanted. */
  best(k: number, options: { probe: boolean }): Promise<Candidates>
  among(document_seqs: readonly number[], k: number): Promise<Candidates>
}

/** Candidates of the first look; at a pass rate of 10 % they hold the top ten with some room. */
const PROBE_MIN = 192
/**
 * Looking at a candidate costs about 6 µs (3 in a graph of 100,000, 3 in the filter), reading a
 * passing document 2, if the database has an index for the filter. If it has none, reading them
 * takes a scan of the collection, so a look that is cheap in any case is made first.
 */
const CANDIDATE_COST = 3
const PROBE_ALWAYS = 600
/** A first look that suffices when half of the candidates pass, with some room. */
const FIRST_FACTOR = 2.5
/** Room for the pass rate further down being lower than the rate seen so far. */
const MARGIN = 1.5
/** Documents a filter is asked about at once; in rank order, so that the first pages often suffice. */
const PAGE_MIN = 32
const PAGE_MAX = 2048
/** Passing documents that are scanned rather than probed for. */
const ALL_MAX = 20_000

/**
 * The `top_k` best candidates that pass a filter, if so many exist. Walks down the ranking while
 * that pays; when few documents pass, it asks for all of them and ranks those.
 */
export async function filteredSearch(
  source: CandidateSource,
  filter: VectorFilter,
  top_k: number,
  signal?: AbortSignal,
): Promise<{ matches: VectorMatch[]; plan: string }> {
  const walk = new Walk(filter, top_k, signal)
  let k = Math.max(PROBE_MIN, Math.ceil(top_k * FIRST_FACTOR))
  let askedForAll = false
  for (;;) {
    const candidates = await source.best(k, { probe: true })
    signal?.throwIfAborted()
    await walk.down(candidates)
    if (walk.enough || candidates.complete)
      return { matches: walk.matches, plan: `${candidates.plan}_filtered` }
    // Half a match more than seen: after a fruitless look the rate is small, not zero.
    const rate = (walk.matches.length + 0.5) / candidates.seqs.length
    k = Math.ceil(Math.max(2 * k, (top_k / rate) * MARGIN))
    const areFew = k > PROBE_ALWAYS && k * CANDIDATE_COST > rate * candidates.total
    if (areFew && !askedForAll) {
      askedForAll = true
      const passing = await filter.all(ALL_MAX)
      signal?.throwIfAborted()
      if (passing) return restricted(await source.among(passing, top_k))
    }
  }
}

function restricted(found: Candidates): { matches: VectorMatch[]; plan: string } {
  return { matches: matchesOf(found), plan: 'exact_filtered' }
}

export function matchesOf({ seqs, scores }: Ranked): VectorMatch[] {
  return Array.from(seqs, (document_seq, i) => ({ document_seq, score: scores[i]! }))
}

/** What is known of the ranking so far; a longer look repeats its beginning, which is asked only once. */
class Walk {
  matches: VectorMatch[] = []
  readonly #filter: VectorFilter
  readonly #top_k: number
  readonly #signal: AbortSignal | undefined
  readonly #passes = new Map<number, boolean>()

  constructor(filter: VectorFilter, top_k: number, signal?: AbortSignal) {
    this.#filter = filter
    this.#top_k = top_k
    this.#signal = signal
  }

  get enough(): boolean {
    return this.matches.length >= this.#top_k
  }

  async down(candidates: Ranked): Promise<void> {
    this.matches = []
    let page = Math.min(Math.max(PAGE_MIN, this.#top_k * 2), PAGE_MAX)
    for (let i = 0; i < candidates.seqs.length && !this.enough; i += page) {
      if (i > 0) page = PAGE_MAX
      await this.#ask(candidates.seqs.subarray(i, i + page))
      this.#take(candidates, i, i + page)
    }
  }

  async #ask(seqs: Float64Array): Promise<void> {
    const unknown = Array.from(seqs).filter((seq) => !this.#passes.has(seq))
    if (unknown.length === 0) return
    const passing = new Set(await this.#filter.passing(unknown))
    this.#signal?.throwIfAborted()
    for (const seq of unknown) this.#passes.set(seq, passing.has(seq))
  }

  #take({ seqs, scores }: Ranked, from: number, to: number): void {
    for (let i = from; i < Math.min(to, seqs.length) && !this.enough; i += 1) {
      const document_seq = seqs[i]!
      if (this.#passes.get(document_seq)) this.matches.push({ document_seq, score: scores[i]! })
    }
  }
}
