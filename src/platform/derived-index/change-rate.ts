const WINDOW_MS = 3000
const HIGH = 300

/** Tells a flood of changes (an import is running) from a trickle. */
export class ChangeRate {
  #since = performance.now()
  #now = 0
  #before = 0

  note(): void {
    this.#turn()
    this.#now += 1
  }

  /** Whether more than 300 changes came within the last three to six seconds. */
  get isHigh(): boolean {
    this.#turn()
    return this.#now + this.#before > HIGH
  }

  #turn(): void {
    const windows = Math.floor((performance.now() - this.#since) / WINDOW_MS)
    if (windows === 0) return
    this.#before = windows === 1 ? this.#now : 0
    this.#now = 0
    this.#since += windows * WINDOW_MS
  }
}
