type Waiting<T, R> = { item: T; resolve: (result: R) => void; reject: (error: unknown) => void }

/**
 * Lets concurrent callers share one costly step, such as a commit to disk. The first caller of a key
 * waits until the event loop has read what else has arrived; while a group runs, the next one gathers.
 */
export class Grouping<T, R> {
  readonly #run: (key: string, items: T[]) => Promise<R[]>
  readonly #items_max: number
  readonly #waiting = new Map<string, Waiting<T, R>[]>()

  /** `run` gets at most `items_max` items of one key and MUST return their results in order. */
  constructor({ run, items_max }: { run: (key: string, items: T[]) => Promise<R[]>; items_max: number }) {
    this.#run = run
    this.#items_max = items_max
  }

  add(key: string, item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(key)
      if (waiting) {
        waiting.push({ item, resolve, reject })
        return
      }
      this.#waiting.set(key, [{ item, resolve, reject }])
      setImmediate(() => void this.#drain(key))
    })
  }

  async #drain(key: string): Promise<void> {
    const waiting = this.#waiting.get(key)!
    while (waiting.length > 0) await this.#runGroup(key, waiting.splice(0, this.#items_max))
    this.#waiting.delete(key)
  }

  async #runGroup(key: string, group: Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.#run(
        key,
        group.map(({ item }) => item),
      )
      for (const [i, { resolve }] of group.entries()) resolve(results[i]!)
    } catch (error) {
      if (group.length === 1) group[0]!.reject(error)
      // One bad item must not fail its neighbours.
      else for (const one of group) await this.#runGroup(key, [one])
    }
  }
}
