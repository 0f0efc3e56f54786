/** Lets a bounded number of tasks run at the same time; the others wait their turn. */
export class Gate {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#free = limit
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      // A place goes straight to who has waited longest, so that no newcomer overtakes.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }
}
