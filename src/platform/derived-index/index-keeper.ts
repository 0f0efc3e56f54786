import { totalmem } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FeedRow } from './follower.ts'
import type { DerivedIndex, IndexCheck, KeptIndex } from './kept-index.ts'

/** How long a bit of background work may keep a search waiting: while there are searches, and else. */
const STEP_BUSY_MS = 2
const STEP_QUIET_MS = 40
const QUIET_AFTER_MS = 250
const UNITS_MIN = 4
const UNITS_MAX = 1024
/** Indexes in memory are kept up also while nobody searches, so that the next search need not wait. */
const ROUND_MS = 2000
/** Snapshots wait for a quiet moment, but not forever: saving a graph holds searches up (0.1 s per 100k). */
const SNAPSHOT_PATIENCE_MS = 60_000
/**
 * When the indexes of a thread take more than this share of the memory there is, those used longest
 * ago are saved and let go of. Indexes in use stay, whatever they take.
 */
const MEMORY_SHARE_MAX = 0.35
const IN_USE_MS = 60_000

/** All indexes of a thread: opens them by id when first asked for, works and saves in the background. */
export class IndexKeeper<Row extends FeedRow, Index extends DerivedIndex<Row>> {
  readonly #open: (id: number) => KeptIndex<Row, Index>
  readonly #onError: (error: unknown) => void
  /** In order of their last use. */
  readonly #kept = new Map<number, KeptIndex<Row, Index>>()
  readonly #usedAt = new WeakMap<KeptIndex<Row, Index>, number>()
  readonly #timer: NodeJS.Timeout
  #working = false
  #inRound = false
  #calledAt = 0
  #dueSince: number | undefined
  #units = UNITS_MIN

  constructor(open: (id: number) => KeptIndex<Row, Index>, onError: (error: unknown) => void) {
    this.#open = open
    this.#onError = onError
    this.#timer = setInterval(() => {
      this.#round().catch(onError)
    }, ROUND_MS)
    this.#timer.unref()
  }

  /** The index, in step with the database; undefined when the database knows none of this id. */
  async get(id: number): Promise<Index | undefined> {
    this.#calledAt = performance.now()
    const kept = this.#keptOf(id)
    const index = await kept.sync()
    if (index) this.#startWork()
    else if (this.#kept.delete(id)) await kept.remove()
    return index
  }

  async check(id: number, options: { repair: boolean }): Promise<IndexCheck | undefined> {
    const checked = await this.#keptOf(id).check(options)
    this.#startWork()
    return checked
  }

  async save(): Promise<void> {
    for (const kept of this.#kept.values()) await kept.save()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#kept.clear()
  }

  /** One at a time: a round that takes long is not joined by the next. */
  async #round(): Promise<void> {
    if (this.#inRound) return
    this.#inRound = true
    try {
      for (const kept of this.#kept.values()) if (kept.loaded) await kept.sync()
      this.#startWork()
      await this.#saveDue()
      await this.#letGo()
    } finally {
      this.#inRound = false
    }
  }

  #keptOf(id: number): KeptIndex<Row, Index> {
    const kept = this.#kept.get(id) ?? this.#open(id)
    this.#kept.delete(id)
    this.#kept.set(id, kept)
    this.#usedAt.set(kept, performance.now())
    return kept
  }

  async #letGo(): Promise<void> {
    const limit = MEMORY_SHARE_MAX * Math.min(process.constrainedMemory() || totalmem(), totalmem())
    const bytesOf = ({ loaded }: KeptIndex<Row, Index>) => loaded?.bytes ?? 0
    let bytes = [...this.#kept.values()].reduce((sum, kept) => sum + bytesOf(kept), 0)
    for (const [id, kept] of [...this.#kept]) {
      if (bytes <= limit) return
      if (!this.#isIdle(kept)) continue
      await kept.save()
      if (!this.#isIdle(kept)) continue // It was asked for while it was saved.
      this.#kept.delete(id)
      bytes -= bytesOf(kept)
    }
  }

  #isIdle(kept: KeptIndex<Row, Index>): boolean {
    return performance.now() - this.#usedAt.get(kept)! > IN_USE_MS
  }

  get #isQuiet(): boolean {
    return performance.now() - this.#calledAt > QUIET_AFTER_MS
  }

  #startWork(): void {
    if (this.#working) return
    this.#working = true
    this.#work()
      .catch(this.#onError)
      .finally(() => {
        this.#working = false
      })
  }

  /** One index after the other, a step a turn of the event loop, so that searches come in between. */
  async #work(): Promise<void> {
    for (;;) {
      const index = this.#indexWithWork()
      if (!index) return
      await nextTurn()
      const limit_ms = this.#isQuiet ? STEP_QUIET_MS : STEP_BUSY_MS
      const started = performance.now()
      index.step(this.#units)
      const factor = limit_ms / Math.max(performance.now() - started, 0.01)
      // At most doubling, because one quick step says little about the next.
      this.#units = Math.round(Math.min(Math.max(this.#units * Math.min(factor, 2), UNITS_MIN), UNITS_MAX))
    }
  }

  #indexWithWork(): Index | undefined {
    for (const { loaded } of this.#kept.values()) if (loaded?.hasWork) return loaded
    return undefined
  }

  async #saveDue(): Promise<void> {
    const due = [...this.#kept.values()].filter((kept) => kept.snapshotIsDue)
    if (due.length === 0) {
      this.#dueSince = undefined
      return
    }
    this.#dueSince ??= performance.now()
    const disturbs = !this.#isQuiet || due.some(({ loaded }) => loaded?.isBusy)
    if (disturbs && performance.now() - this.#dueSince < SNAPSHOT_PATIENCE_MS) return
    this.#dueSince = undefined
    for (const kept of due) await kept.save()
  }
}
