import { sql } from 'kysely'
import type { DbOrTrx } from '../../platform/db/db.ts'
import { slot, Templates } from '../../platform/db/templates.ts'

const GRAM = 3
/** Trigrams of one search whose frequency may be measured; the rest count as common. */
const PROBES_MAX = 24
const KNOWN_MAX = 50_000
/** Rows come and go, so what was learned about frequencies is forgotten from time to time. */
const KNOWN_MS = 10 * 60_000

/**
 * Finds the few buckets that can hold a text, through the trigram index of SQLite. Intersecting the
 * rows of every trigram costs as much as its most common one ("buc" in every name), so only rare
 * trigrams are asked for; which ones are rare is measured once and remembered. That memory only
 * chooses a plan: a wrong guess costs time, never a result.
 */
export class TrigramCandidates {
  readonly #candidates_max: number
  readonly #templates = new Templates()
  readonly #isCommon = new Map<string, boolean>()
  #until_ms = 0

  constructor({ candidates_max }: { candidates_max: number }) {
    this.#candidates_max = candidates_max
  }

  /** `bucket_seq` of every bucket, of any namespace, that may hold all of the texts; null when there are many. */
  async find(db: DbOrTrx, literals: readonly string[]): Promise<number[] | null> {
    const phrases: string[] = []
    let probes = 0
    for (const literal of literals) {
      const characters = [...literal]
      let run = ''
      for (let i = 0; i + GRAM <= characters.length; i++) {
        const gram = characters.slice(i, i + GRAM).join('')
        const known = this.#isCommon.has(gram)
        if (!known && probes >= PROBES_MAX) break
        probes += known ? 0 : 1
        if (await this.#common(db, gram)) {
          if (run !== '') phrases.push(run)
          run = ''
        } else run = run === '' ? gram : run + characters[i + GRAM - 1]
      }
      if (run !== '') phrases.push(run)
    }
    // Common trigrams may still make a rare phrase.
    if (phrases.length === 0) phrases.push(...literals.filter((literal) => [...literal].length >= GRAM))
    if (phrases.length === 0) return null
    const [found] = await this.#templates.run(
      db,
      'seqs',
      { query: phrases.map(quoted).join(' AND '), limit: this.#candidates_max + 1 },
      // One text instead of a row each: reading rows costs more than finding them.
      () =>
        sql<{ seqs: string }>`select json_group_array(rowid) as seqs from (
          select rowid from bucket_search_trigrams where bucket_search_trigrams match ${slot('query')}
          limit +${slot('limit')})`.compile(db),
    )
    const seqs = JSON.parse(found!.seqs) as number[]
    return seqs.length > this.#candidates_max ? null : seqs
  }

  async #common(db: DbOrTrx, gram: string): Promise<boolean> {
    if (performance.now() > this.#until_ms || this.#isCommon.size > KNOWN_MAX) {
      this.#isCommon.clear()
      this.#until_ms = performance.now() + KNOWN_MS
    }
    const known = this.#isCommon.get(gram)
    if (known !== undefined) return known
    const [found] = await this.#templates.run(
      db,
      'count',
      { query: quoted(gram), limit: this.#candidates_max + 1 },
      () =>
        sql<{ count: number }>`select count(*) as count from (
          select 1 from bucket_search_trigrams where bucket_search_trigrams match ${slot('query')}
          limit +${slot('limit')})`.compile(db),
    )
    const isCommon = found!.count > this.#candidates_max
    this.#isCommon.set(gram, isCommon)
    return isCommon
  }
}

/** A string of the FTS5 query language. */
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
