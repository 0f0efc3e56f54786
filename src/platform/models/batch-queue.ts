/** An item that waits, and the call it belongs to. */
type Waiting<T, R> = { item: T; index: number; call: Call<R> }

type Call<R> = {
  urgent: boolean
  results: R[]
  missing: number
  resolve(results: R[]): void
  reject(error: unknown): void
}

type Options<T, R> = {
  batch_max: number
  /** Items of like length share a batch, since the longest one sets the cost of all. */
  length(item: T): number
  /** One result per item, in order. */
  run(items: readonly T[]): Promise<R[]>
}

/** How many waiting items are looked at to find those of like length. */
const WINDOW = 256

/**
 * Runs items in batches, one batch at a time. What arrives while a batch runs shares the next one,
 * whichever call it belongs to; urgent calls (a person waits for a query) go first.
 */
export class BatchQueue<T, R> {
  readonly #options: Options<T, R>
  #waiting: Waiting<T, R>[] = []
  #running = false

  constructor(options: Options<T, R>) {
    this.#options = options
  }

  /** Rejects with the signal's reason as soon as it aborts; a batch that runs already is finished for the others. */
  push(items: readonly T[], { urgent, signal }: { urgent: boolean; signal?: AbortSignal }): Promise<R[]> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (items.length === 0) return Promise.resolve([])
    const { promise, resolve, reject } = Promise.withResolvers<R[]>()
    const call: Call<R> = {
      urgent,
      results: new Array(items.length),
      missing: items.length,
      resolve,
      reject,
    }
    this.#waiting.push(...items.map((item, index) => ({ item, index, call })))
    const abort = () => this.#fail(call, signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    if (!this.#running) void this.#work()
    return promise.finally(() => signal?.removeEventListener('abort', abort))
  }

  async #work(): Promise<void> {
    this.#running = true
    // Calls made in the same turn of the event loop are let in before the first batch is picked.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#pick()
      try {
        const results = await this.#options.run(batch.map(({ item }) => item))
        for (const [i, waiting] of batch.entries()) settle(waiting, results[i]!)
      } catch (error) {
        for (const { call } of batch) this.#fail(call, error)
      }
    }
    this.#running = false
  }

  /** The oldest item, urgent ones first, with those nearest to it in length. */
  #pick(): Waiting<T, R>[] {
    const { batch_max, length } = this.#options
    const first = this.#waiting.find(({ call }) => call.urgent) ?? this.#waiting[0]!
    if (batch_max === 1) {
      this.#waiting.splice(this.#waiting.indexOf(first), 1)
      return [first]
    }
    const target = length(first.item)
    const away = ({ item }: Waiting<T, R>) => Math.abs(length(item) - target)
    const others = this.#waiting.slice(0, WINDOW).filter((waiting) => waiting !== first)
    const alike = others.sort((a, b) => away(a) - away(b)).slice(0, batch_max - 1)
    const batch = new Set([first, ...alike])
    this.#waiting = this.#waiting.filter((waiting) => !batch.has(waiting))
    return [...batch]
  }

  #fail(call: Call<R>, error: unknown): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting.call !== call)
    call.reject(error)
  }
}

function settle<T, R>({ call, index }: Waiting<T, R>, result: R): void {
  call.results[index] = result
  call.missing -= 1
  if (call.missing === 0) call.resolve(call.results)
}
