import { setImmediate as nextTurn } from 'node:timers/promises'

/** One row of what is followed, keyed by the document it belongs to. */
export type FeedRow = { document_seq: number }

export type FeedState = {
  /** The newest committed change. */
  last_change: number
  /** Changes up to here have left the log. */
  trimmed_to: number
  /** What an index depends on besides its rows; another signature means another index. */
  signature: string
}

/** Reads of the database that a follower needs. */
export type Feed<Row extends FeedRow> = {
  /** Undefined when what is followed does not exist (any more). */
  state(): Promise<FeedState | undefined>
  /** Documents with changes in (after, up_to], each once. */
  changed(after: number, up_to: number): Promise<number[]>
  /** The rows that these documents have now; fewer when some have none. */
  read(document_seqs: readonly number[]): Promise<Row[]>
  /** The next rows after a document, ascending. */
  scan(after_document_seq: number, limit: number): Promise<Row[]>
  count(): Promise<number>
}

/** What is kept in step. `put` MUST accept a row it holds already, `delete` one it lacks. */
export type Followed<Row extends FeedRow> = {
  put(row: Row): void
  delete(document_seq: number): void
  readonly count: number
}

export type Loaded<Index> = { index: Index; applied_change: number; signature: string }

type Options<Row extends FeedRow, Index extends Followed<Row>> = {
  feed: Feed<Row>
  create(signature: string): Index
  /** What an earlier process saved, if it can be trusted. */
  load(signature: string): Promise<Loaded<Index> | undefined>
  /** Called when an index had to be read anew although a saved or running one existed. */
  onRebuild(reason: string): void
}

/** Rows read at once; between pages other calls of the thread get their turn. */
const PAGE_ROWS = 1000

/**
 * Keeps one derived index in step with the database. The change log says which documents to look
 * at again; the rows themselves say what they are now, so applying a change twice does no harm.
 */
export class Follower<Row extends FeedRow, Index extends Followed<Row>> {
  readonly #options: Options<Row, Index>
  #current: Loaded<Index> | undefined
  #running: Promise<Index | undefined> | undefined
  #joinable = false
  #rebuildReason: string | undefined

  constructor(options: Options<Row, Index>) {
    this.#options = options
  }

  /** What is loaded, as far as it has got. */
  get current(): Loaded<Index> | undefined {
    return this.#current
  }

  /**
   * The index with every change applied that was committed before this call; undefined when the
   * database knows no such index. Calls that come while nobody has looked yet share one look.
   */
  sync(): Promise<Index | undefined> {
    if (this.#running && this.#joinable) return this.#running
    const previous = this.#running
    this.#joinable = true
    const running = this.#run(previous).finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  /** Makes the next `sync` read everything anew. */
  invalidate(reason: string): void {
    this.#rebuildReason = reason
  }

  async #run(previous: Promise<unknown> | undefined): Promise<Index | undefined> {
    // A failed look concerns those who asked for it; this one tries for itself.
    await previous?.catch(() => undefined)
    await Promise.resolve() // Calls of the same turn still join.
    this.#joinable = false
    const state = await this.#options.feed.state()
    if (!state) {
      this.#current = undefined
      return undefined
    }
    const reason = this.#current && this.#whyRebuild(this.#current, state)
    if (reason !== undefined) return this.#rebuild(state, reason)
    if (!this.#current) return this.#start(state)
    await this.#catchUp(this.#current, state)
    return this.#current.index
  }

  #whyRebuild({ applied_change, signature }: Loaded<Index>, state: FeedState): string | undefined {
    if (this.#rebuildReason !== undefined) return this.#rebuildReason
    if (signature !== state.signature) return 'The index was defined anew.'
    if (applied_change < state.trimmed_to) return 'The changes since then have left the log.'
    if (applied_change > state.last_change) return 'The database is older than the index.'
    return undefined
  }

  async #start(state: FeedState): Promise<Index> {
    const loaded = await this.#options.load(state.signature)
    if (!loaded) return this.#readAll(state)
    const reason = this.#whyRebuild(loaded, state)
    if (reason !== undefined) return this.#rebuild(state, reason)
    await this.#catchUp(loaded, state)
    if (!(await this.#countsAgree(loaded)))
      return this.#rebuild(state, 'The snapshot and the database hold different numbers of rows.')
    this.#current = loaded
    return loaded.index
  }

  /** A database that was restored from a backup can look newer than a snapshot and yet be another. */
  async #countsAgree(loaded: Loaded<Index>): Promise<boolean> {
    const { feed } = this.#options
    for (;;) {
      const count = await feed.count()
      const state = await feed.state()
      if (!state) return true
      if (state.last_change === loaded.applied_change) return count === loaded.index.count
      await this.#catchUp(loaded, state) // Someone wrote meanwhile: compare again.
    }
  }

  #rebuild(state: FeedState, reason: string): Promise<Index> {
    this.#options.onRebuild(reason)
    this.#rebuildReason = undefined
    this.#current = undefined
    return this.#readAll(state)
  }

  async #readAll(state: FeedState): Promise<Index> {
    const { feed, create } = this.#options
    const index = create(state.signature)
    for (let after = 0; ; ) {
      const rows = await feed.scan(after, PAGE_ROWS)
      for (const row of rows) index.put(row)
      if (rows.length < PAGE_ROWS) break
      after = rows.at(-1)!.document_seq
      await nextTurn()
    }
    // Rows read after the state was taken may be newer than it; their changes are applied again.
    const loaded = { index, applied_change: state.last_change, signature: state.signature }
    const now = await feed.state()
    if (now && now.signature === state.signature) await this.#catchUp(loaded, now)
    this.#current = loaded
    return index
  }

  async #catchUp(loaded: Loaded<Index>, { last_change }: FeedState): Promise<void> {
    if (last_change <= loaded.applied_change) return
    const { feed } = this.#options
    const changed = await feed.changed(loaded.applied_change, last_change)
    for (let i = 0; i < changed.length; i += PAGE_ROWS) {
      if (i > 0) await nextTurn()
      const page = changed.slice(i, i + PAGE_ROWS)
      const rows = await feed.read(page)
      const present = new Set(rows.map(({ document_seq }) => document_seq))
      for (const seq of page) if (!present.has(seq)) loaded.index.delete(seq)
      for (const row of rows) loaded.index.put(row)
    }
    loaded.applied_change = last_change
  }
}
