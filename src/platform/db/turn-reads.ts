/**
 * Answers of reads that every request makes, kept for one turn of the event loop and until this
 * process commits something. Nobody outside can tell the difference: requests that are answered in
 * one turn were all under way at the same time. Under load a turn answers many requests, and a
 * read costs more than all else that a small answer takes.
 */
export class TurnReads {
  readonly #answers = new Map<string, Promise<unknown>>()
  #endsSoon = false

  /** `read` MUST be the same question for equal keys. */
  once<T>(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key)
    if (known) return known as Promise<T>
    const answer = read()
    this.#answers.set(key, answer)
    if (!this.#endsSoon) {
      this.#endsSoon = true
      // Runs right after the sockets of this turn have been read.
      setImmediate(() => {
        this.#endsSoon = false
        this.forget()
      })
    }
    return answer
  }

  /** MUST be called after every commit. */
  forget(): void {
    this.#answers.clear()
  }
}

const byAdapter = new WeakMap<object, TurnReads>()

/** Gives a database turn reads; without them every read is made. */
export function keepTurnReads(adapter: object, reads: TurnReads): void {
  byAdapter.set(adapter, reads)
}

export const turnReadsOf = (adapter: object): TurnReads | undefined => byAdapter.get(adapter)
