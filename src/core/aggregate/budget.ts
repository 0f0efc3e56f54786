import { KuraError } from '../errors.ts'

/** Memory that the state of one aggregation may take, roughly. */
const STATE_BYTES_MAX = 256 * 1024 * 1024
/** Groups of one aggregation; an answer with more is of use to nobody. */
export const GROUPS_MAX = 100_000

/** What a map entry or a list slot costs beside its content, roughly. */
const ENTRY_BYTES = 48

/** Counts what an aggregation keeps in memory; throws `aggregation_too_large` before it becomes too much. */
export class Budget {
  #bytes = 0
  #groups = 0

  addGroup(key: string): void {
    this.#groups += 1
    if (this.#groups > GROUPS_MAX)
      throw new KuraError('aggregation_too_large', { reason: `it has more than ${GROUPS_MAX} groups` })
    this.#add(key.length * 4 + 8 * ENTRY_BYTES)
  }

  addValue(value: unknown): void {
    this.#add(ENTRY_BYTES + sizeOf(value))
  }

  #add(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > STATE_BYTES_MAX)
      throw new KuraError('aggregation_too_large', {
        reason: `its groups hold more than ${STATE_BYTES_MAX / 1024 / 1024} MB of values`,
      })
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length * 2
  return typeof value === 'object' && value !== null ? JSON.stringify(value).length * 2 : 8
}
