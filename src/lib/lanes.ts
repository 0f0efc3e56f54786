/** Runs work beside other work, at most `limit` at a time; the first error stops what has not begun. */
export class Lanes {
  readonly #limit: number
  readonly #running = new Set<Promise<void>>()
  #failure: { error: unknown } | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Waits for a free lane and starts `work` in it. Throws what earlier work threw. */
  async start(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running)
    this.#throwFailure()
    const running: Promise<void> = work()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Waits until all work has ended; throws what some of it threw. */
  async finish(): Promise<void> {
    await this.settle()
    this.#throwFailure()
  }

  /** Waits until all work has ended, however it ended. */
  async settle(): Promise<void> {
    await Promise.all(this.#running)
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }
}
