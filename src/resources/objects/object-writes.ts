import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { Grouping } from '../../lib/grouping.ts'
import { type Db, inTransaction, isDeadlock, isUniqueViolation } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { BucketRecord } from '../buckets/index.ts'
import type { PreparedObject } from './prepare.ts'
import { ObjectWriter, stagedOf, type WriteResult } from './write.ts'

/** Objects of one transaction: large enough to share a commit, small enough not to hold up other writers. */
const GROUP_MAX = 200
/** Who loses a race for a unique key, or a deadlock, sees the winner's rows in the next attempt. */
const ATTEMPTS_MAX = 5

type Target = { scope: Scope; bucket: BucketRecord }
type Item = { target: Target; objects: readonly PreparedObject[] }

/**
 * Commits objects. Concurrent requests to one bucket share a transaction, because a durable commit
 * and the counters of the bucket cost more than the rows.
 */
export class ObjectWrites {
  readonly #db: Db
  readonly #files: Files
  readonly #groups: Grouping<Item, WriteResult[]>

  constructor({ db, files }: { db: Db; files: Files }) {
    this.#db = db
    this.#files = files
    this.#groups = new Grouping({ run: (_key, items) => this.#createAll(items), items_max: GROUP_MAX })
  }

  /** Each object is judged alone; a fault of the server rejects and leaves nothing behind. */
  async create(target: Target, objects: readonly PreparedObject[]): Promise<WriteResult[]> {
    const { scope, bucket } = target
    const staged = stagedOf(objects)
    let kept: string[] = []
    try {
      const results = await this.#groups.add(`${scope.namespaceId} ${bucket.bucket_id}`, { target, objects })
      kept = results.flatMap((result) => ('object' in result ? fileIdsOf(result.object) : []))
      return results
    } finally {
      await this.#files.discard(staged, kept)
    }
  }

  /** Runs one change of existing objects with its counters; bytes that it frees are deleted afterwards. */
  async change<T>(target: Target, work: (writer: ObjectWriter) => Promise<T>): Promise<T> {
    const { result, writer } = await this.#transaction(target, work)
    await this.#files.deleteBytes(writer.orphans)
    return result
  }

  async #createAll(items: Item[]): Promise<WriteResult[][]> {
    const [{ target }] = items as [Item, ...Item[]]
    const results = await this.change(target, (writer) =>
      writer.create(items.flatMap(({ objects }) => objects)),
    )
    const next = results[Symbol.iterator]()
    return items.map(({ objects }) => objects.map(() => next.next().value!))
  }

  async #transaction<T>(
    { scope, bucket }: Target,
    work: (writer: ObjectWriter) => Promise<T>,
  ): Promise<{ result: T; writer: ObjectWriter }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTransaction(this.#db, async (trx) => {
          const writer = new ObjectWriter(trx, { scope, bucket, files: this.#files })
          const result = await work(writer)
          await writer.finish()
          return { result, writer }
        })
      } catch (error) {
        if (!isUniqueViolation(error) && !isDeadlock(error)) throw error
        if (attempt === ATTEMPTS_MAX) throw new KuraError('database_unavailable', {}, { cause: error })
      }
    }
  }
}

const fileIdsOf = ({ blobs }: { blobs: readonly { file_id: string | null }[] }): string[] =>
  blobs.flatMap(({ file_id }) => file_id ?? [])
