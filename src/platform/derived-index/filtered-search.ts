import type { VectorFilter, VectorMatch } from '../vectors/vectors.ts'
import type { Ranked } from './top-k.ts'

/** Part of a ranking, from its top. */
export type Probe = {
  seqs: Float64Array
  plan: string
  /** There is nothing beyond these, so asking for more would return the same. */
  complete: boolean
  /** How many documents were searched. */
  total: number
}

export type Candidates = Ranked & Probe

/** A ranking that can be read from its top, or restricted to given documents. */
export type CandidateSource = {
  /** About `k` from the top, in nearly the right order: documents may be a few places off. */
  probe(k: number): Promise<Probe>
  /** The `k` best of the given documents, scored exactly. */
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

/** Passing documents that are ranked beyond those wanted, because the order of a probe is a rough one. */
const EXTRA_MIN = 4
const EXTRA_SHARE = 0.2

/**
 * The `top_k` best candidates that pass a filter, if so many exist. Walks down the ranking while
 * that pays; when few documents pass, it asks for all of them. What passed is then ranked exactly.
 */
export async function filteredSearch(
  source: CandidateSource,
  filter: VectorFilter,
  top_k: number,
  signal?: AbortSignal,
): Promise<{ matches: VectorMatch[]; plan: string }> {
  const walk = new Walk(filter, top_k + Math.max(EXTRA_MIN, Math.ceil(top_k * EXTRA_SHARE)), signal)
  let k = Math.max(PROBE_MIN, Math.ceil(top_k * FIRST_FACTOR))
  let askedForAll = false
  for (;;) {
    const probe = await source.probe(k)
    signal?.throwIfAborted()
    await walk.down(probe.seqs)
    if (walk.isEnough || probe.complete) {
      const found = await source.among(walk.passed, top_k)
      signal?.throwIfAborted()
      // Documents that went away meanwhile leave room for others further down.
      if (found.seqs.length >= top_k || probe.complete)
        return { matches: matchesOf(found), plan: `${probe.plan}_filtered` }
    }
    // Half a match more than seen: after a fruitless look the rate is small, not zero.
    const rate = (walk.passed.length + 0.5) / probe.seqs.length
    k = Math.ceil(Math.max(2 * k, (top_k / rate) * MARGIN))
    const areFew = k > PROBE_ALWAYS && k * CANDIDATE_COST > rate * probe.total
    if (areFew && !askedForAll) {
      askedForAll = true
      const passing = await filter.all(ALL_MAX)
      signal?.throwIfAborted()
      if (passing) return { matches: matchesOf(await source.among(passing, top_k)), plan: 'exact_filtered' }
    }
  }
}

export function matchesOf({ seqs, scores }: Ranked): VectorMatch[] {
  return Array.from(seqs, (document_seq, i) => ({ document_seq, score: scores[i]! }))
}

/** What is known of the ranking so far; a longer look repeats its beginning, which is asked only once. */
class Walk {
  /** Documents that pass, in the order of the ranking. */
  passed: number[] = []
  readonly #filter: VectorFilter
  readonly #wanted: number
  readonly #signal: AbortSignal | undefined
  readonly #passes = new Map<number, boolean>()

  constructor(filter: VectorFilter, wanted: number, signal?: AbortSignal) {
    this.#filter = filter
    this.#wanted = wanted
    this.#signal = signal
  }

  get isEnough(): boolean {
    return this.passed.length >= this.#wanted
  }

  async down(seqs: Float64Array): Promise<void> {
    this.passed = []
    let page = Math.min(Math.max(PAGE_MIN, this.#wanted * 2), PAGE_MAX)
    for (let i = 0; i < seqs.length && !this.isEnough; i += page) {
      if (i > 0) page = PAGE_MAX
      const part = seqs.subarray(i, i + page)
      await this.#ask(part)
      for (const seq of part) if (this.#passes.get(seq) && !this.isEnough) this.passed.push(seq)
    }
  }

  async #ask(seqs: Float64Array): Promise<void> {
    const unknown = Array.from(seqs).filter((seq) => !this.#passes.has(seq))
    if (unknown.length === 0) return
    const passing = new Set(await this.#filter.passing(unknown))
    this.#signal?.throwIfAborted()
    for (const seq of unknown) this.#passes.set(seq, passing.has(seq))
  }
}
