const FLUSH_MS = 10_000

/** Writes what a recorder has counted in memory: every ten seconds, at the end, and never twice at once. */
export class Flushes {
  readonly #write: () => Promise<void>
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()

  /** `write` keeps what it cannot write for the next time, and never throws. */
  constructor(write: () => Promise<void>) {
    this.#write = write
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), FLUSH_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }

  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write())
    return this.#flushing
  }
}
