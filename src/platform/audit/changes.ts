import { canonicalJson } from '../../core/json.ts'

export type Changes = Record<string, { old?: unknown; new?: unknown }>

/** The named members in which two states of a resource differ; null stands for no resource. */
export function changesOf<T extends object>(
  before: T | null,
  after: T | null,
  members: readonly (keyof T & string)[],
): Changes {
  const changes: Changes = {}
  for (const member of members) {
    const [old, current] = [before?.[member] ?? null, after?.[member] ?? null]
    if (canonicalJson([old]) === canonicalJson([current])) continue
    changes[member] = { ...(old !== null && { old }), ...(current !== null && { new: current }) }
  }
  return changes
}
