import { type Feed, type FeedRow, type Followed, Follower } from './follower.ts'

/** An index that a thread keeps in memory, in step with the database and saved now and then. */
export type DerivedIndex<Row extends FeedRow> = Followed<Row> & {
  /** Grows with every change, so that "changed since" can be asked. */
  readonly revision: number
  has(document_seq: number): boolean
  /** Whether exactly this row is held. */
  holds(row: Row): boolean
  /** The documents held. */
  seqs(): Iterable<number>
  /** Memory it takes, roughly. */
  readonly bytes: number
  /** Whether many changes are coming in: what is saved or built now is soon out of date. */
  readonly isBusy: boolean
  /** Whether work is left that can be done bit by bit, between searches. */
  readonly hasWork: boolean
  /** Does about `units` of that work. */
  step(units: number): void
}

export type Snapshots<Index> = {
  save(index: Index, applied_change: number, signature: string): Promise<void>
  /** Throws for files that cannot be trusted. */
  load(signature: string): Promise<{ index: Index; applied_change: number } | undefined>
  remove(): Promise<void>
}

export type KeptIndexOptions<Row extends FeedRow, Index extends DerivedIndex<Row>> = {
  feed: Feed<Row>
  snapshots: Snapshots<Index>
  create(signature: string): Index
  /** Drops changes up to this one from the log. */
  trim(up_to: number): Promise<void>
  warn(facts: Record<string, unknown>, message: string): void
}

export type IndexCheck = {
  database_count: number
  index_count: number
  missing: number
  surplus: number
  different: number
}

/** A snapshot is due after this many changes, or after this share of the rows if that is more. */
const SNAPSHOT_CHANGES_MIN = 5000
const SNAPSHOT_SHARE = 0.2
/** Changes that stay in the log after a snapshot, for other processes that have yet to apply them. */
const CHANGES_KEPT = 100_000
const CHECK_ROWS = 1000

export class KeptIndex<Row extends FeedRow, Index extends DerivedIndex<Row>> {
  readonly #options: KeptIndexOptions<Row, Index>
  readonly #follower: Follower<Row, Index>
  #saved: { index: Index; revision: number } | undefined
  #saving: Promise<void> | undefined

  constructor(options: KeptIndexOptions<Row, Index>) {
    this.#options = options
    this.#follower = new Follower({
      feed: options.feed,
      create: options.create,
      load: (signature) => this.#load(signature),
      onRebuild: (reason) => options.warn({ reason }, 'An index is read from the database anew.'),
    })
  }

  /** The index with everything applied that was committed before; undefined when it does not exist. */
  sync(): Promise<Index | undefined> {
    return this.#follower.sync()
  }

  get loaded(): Index | undefined {
    return this.#follower.current?.index
  }

  get snapshotIsDue(): boolean {
    const index = this.loaded
    if (!index || index.hasWork) return false
    return this.#changesSinceSnapshot(index) >= Math.max(SNAPSHOT_CHANGES_MIN, index.count * SNAPSHOT_SHARE)
  }

  /** Saves what has changed since the last snapshot, and lets go of changes that it covers. */
  save(): Promise<void> {
    this.#saving ??= this.#save().finally(() => {
      this.#saving = undefined
    })
    return this.#saving
  }

  async #save(): Promise<void> {
    const current = this.#follower.current
    if (!current || this.#changesSinceSnapshot(current.index) === 0) return
    const { index, applied_change, signature } = current
    const { revision } = index
    await this.#options.snapshots.save(index, applied_change, signature)
    this.#saved = { index, revision }
    if (applied_change > CHANGES_KEPT) await this.#options.trim(applied_change - CHANGES_KEPT)
  }

  #changesSinceSnapshot(index: Index): number {
    return index.revision - (this.#saved?.index === index ? this.#saved.revision : 0)
  }

  async #load(signature: string) {
    const { snapshots, warn } = this.#options
    try {
      const loaded = await snapshots.load(signature)
      if (!loaded) return undefined
      this.#saved = { index: loaded.index, revision: loaded.index.revision }
      return { ...loaded, signature }
    } catch (error) {
      warn({ reason: String(error) }, 'A snapshot cannot be trusted and is thrown away.')
      await snapshots.remove()
      return undefined
    }
  }

  /** Forgets everything, on disk too: the index no longer exists. */
  async remove(): Promise<void> {
    await this.#options.snapshots.remove()
  }

  /** Compares every row with the database; `repair` reads the index anew when they differ. */
  async check({ repair }: { repair: boolean }): Promise<IndexCheck | undefined> {
    const suspects = await this.#suspects()
    const index = await this.sync()
    if (!suspects || !index) return undefined
    const result = await this.#classify(index, suspects)
    if (repair && result.missing + result.surplus + result.different > 0) {
      this.#follower.invalidate('A check found differences.')
      await this.sync()
      await this.save()
    }
    return result
  }

  /** Documents that seem to differ. Rows may change while the check runs, so they are looked at twice. */
  async #suspects(): Promise<Set<number> | undefined> {
    const index = await this.sync()
    if (!index) return undefined
    const suspects = new Set(index.seqs())
    for (let after = 0; ; ) {
      const rows = await this.#options.feed.scan(after, CHECK_ROWS)
      for (const row of rows) {
        if (index.holds(row)) suspects.delete(row.document_seq)
        else suspects.add(row.document_seq)
      }
      if (rows.length < CHECK_ROWS) return suspects
      after = rows.at(-1)!.document_seq
    }
  }

  async #classify(index: Index, suspects: Set<number>): Promise<IndexCheck> {
    const { feed } = this.#options
    const rows = await feed.read([...suspects])
    const result = {
      database_count: await feed.count(),
      index_count: index.count,
      missing: 0,
      surplus: 0,
      different: 0,
    }
    for (const row of rows) {
      suspects.delete(row.document_seq)
      if (!index.has(row.document_seq)) result.missing += 1
      else if (!index.holds(row)) result.different += 1
    }
    for (const seq of suspects) if (index.has(seq)) result.surplus += 1
    return result
  }
}
