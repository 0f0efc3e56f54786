/**
 * The port to nearest-neighbour search. The database is the truth: rows of `vectors`, and a change
 * log `vector_changes` written in the same transaction. An index is derived from them and may be
 * thrown away at any time. A search MUST see every change committed before it was called.
 */
export type VectorSearch = {
  vector_index_id: number
  vector: Float32Array
  /** How many matches to return at most. */
  top_k: number
  /** Collections to search; one index holds those of a whole namespace. */
  collection_ids: readonly string[]
  /**
   * Which of these documents pass the caller's filter. Absent: all pass. The planner probes it with
   * candidates of the graph and asks for `all` only when few rows survive.
   */
  filter?: VectorFilter
  signal?: AbortSignal
}

export type VectorFilter = {
  /** The members of `document_seqs` that pass. */
  passing(document_seqs: readonly number[]): Promise<number[]>
  /** Every passing document of the searched collections, or null when more than `limit` pass. */
  all(limit: number): Promise<number[] | null>
}

/** `score` is a similarity: higher is better. Order: score descending, then document_seq ascending. */
export type VectorMatch = { document_seq: number; score: number }

export type VectorSearchResult = {
  matches: VectorMatch[]
  /** How it was found, for statistics: 'exact', 'hnsw', 'hnsw_filtered'. */
  plan: string
}

export type VectorCheck = {
  vector_index_id: number
  database_count: number
  index_count: number
  /** Rows whose vector the index lacks, holds too much, or holds with other values. */
  missing: number
  surplus: number
  different: number
}

export type VectorIndexes = {
  search(search: VectorSearch): Promise<VectorSearchResult>
  /** Compares index and database; `repair` rebuilds what differs. */
  check(options: { repair: boolean }): Promise<VectorCheck[]>
  /** Writes snapshots so that the next start need not rebuild. */
  flush(): Promise<void>
  close(): Promise<void>
}
