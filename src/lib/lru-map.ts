/** A map of at most `entries_max` entries; the one used longest ago makes room for a new one. */
export class LruMap<V> {
  readonly #entries_max: number
  /** A Map keeps the order in which keys were set; using an entry sets it again. */
  readonly #entries = new Map<string, V>()

  constructor(entries_max: number) {
    this.#entries_max = entries_max
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  set(key: string, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size > this.#entries_max) this.#entries.delete(this.#entries.keys().next().value!)
  }

  get size(): number {
    return this.#entries.size
  }
}
