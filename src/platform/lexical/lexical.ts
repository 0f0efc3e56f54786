import type { VectorFilter, VectorMatch } from '../vectors/vectors.ts'

/**
 * The port to keyword search: BM25 (k1 1.2, b 0.75) over the texts of collections, written with
 * `putText`. As with vectors the database is the truth, and a search MUST see every change
 * committed before it was called.
 */
export type TextSearch = {
  collection_seqs: readonly number[]
  /** Any text: it has no syntax. A document matches when it holds at least one of the words. */
  query: string
  /** How many matches to return at most. */
  top_k: number
  filter?: VectorFilter
  signal?: AbortSignal
}

export type LexicalCheck = {
  collection_seq: number
  database_count: number
  index_count: number
  /** Texts that the index lacks, holds too much, or holds with other content. */
  missing: number
  surplus: number
  different: number
}

export type LexicalIndexes = {
  /**
   * Scores are above 0, higher is better; order: score descending, then document_seq ascending.
   * Each collection has statistics of its own, scores of several are merged as they are.
   */
  search(search: TextSearch): Promise<VectorMatch[]>
  /** Compares index and database; `repair` rebuilds what differs. */
  check(options: { repair: boolean }): Promise<LexicalCheck[]>
  /** Writes snapshots so that the next start need not rebuild. */
  flush(): Promise<void>
  close(): Promise<void>
}
