import type { Scope } from '../../../core/scope.ts'
import type { Trx } from '../../../platform/db/db.ts'
import type { Files } from '../../../platform/files/files.ts'
import type { CloneIds } from './ids.ts'

/** What a client asked to clone; buckets with their objects always are. */
export type CloneInclude = { collections: boolean; retrievers: boolean; taxonomies: boolean }

export type CloneNamespacePayload = {
  source_namespace_id: string
  task_id: string
  include: CloneInclude
}

/** The numbers of the answer; `points` are documents. */
export type ClonedResources = {
  collections: number
  retrievers: number
  taxonomies: number
  buckets: number
  objects: number
  points: number
}

export type CloneContext = {
  /** Everything is read from one moment. */
  snapshot: Trx
  source: Scope
  target: Scope
  ids: CloneIds
  files: Pick<Files, 'shareWith' | 'addReferences'>
  /** Runs a part in a transaction of its own; throws when another worker has the job now. */
  write<T>(work: (trx: Trx) => Promise<T>): Promise<T>
  /** Adds to what the task says is done, in the transaction of the part. */
  advance(trx: Trx, processed: number): Promise<void>
  cloned: ClonedResources
  /** What was left out, and why. */
  warnings: Warnings
}

/** Reasons with how often each was met: a namespace may have a million objects, a task has a few lines. */
export class Warnings {
  readonly #counts = new Map<string, number>()

  add(reason: string, count = 1): void {
    if (count > 0) this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + count)
  }

  list(): string[] {
    return [...this.#counts].map(([reason, count]) => (count > 1 ? `${reason} (${count})` : reason))
  }
}
