import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { Grouping } from '../../lib/grouping.ts'
import { type Db, inTransaction, isDeadlock, isUniqueViolation, type Trx } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import { type BucketRecord, findBucket, requireWritable } from '../buckets/index.ts'
import { creationEvents } from './events.ts'
import type { PreparedObject } from './prepare.ts'
import { ObjectWriter, stagedOf, type WriteResult } from './write.ts'

/** Objects of one transaction: large enough to share a commit, small enough not to hold up other writers. */
const GROUP_MAX = 200
/** Who loses a race for a unique key, or a deadlock, sees the winner's rows in the next attempt. */
const ATTEMPTS_MAX = 5

type Target = { scope: Scope; bucket: BucketRecord }
type Item = { target: Target; objects: readonly PreparedObject[] } & CreateOptions

export type CreateOptions = {
  /** The objects came in one request for many: one event tells of them. */
  together: boolean
  /** Make and submit a batch of what was written. */
  process: boolean
}

/** What became of the objects of one request, and the batch that was submitted for them. */
export type Created = { results: WriteResult[]; started: StartedBatch | null }

/** A batch that was made and submitted for new objects. */
export type StartedBatch = { batch_id: string; task_id: string }

/**
 * `?auto_process=true`: makes and submits a batch of objects. Given by the composition root, because
 * batches look at objects and so objects do not look at batches.
 */
export type ProcessObjects = {
  /** In the transaction that writes the objects; null when no collection reads the bucket. */
  submit(trx: Trx, scope: Scope, bucket_id: string, object_ids: string[]): Promise<StartedBatch | null>
  /** Tells the workers, after the commit. */
  wake(): void
}

/**
 * Commits objects. Concurrent requests to one bucket share a transaction, because a durable commit
 * and the counters of the bucket cost more than the rows.
 */
export class ObjectWrites {
  readonly #db: Db
  readonly #files: Files
  readonly #process: ProcessObjects
  readonly #groups: Grouping<Item, Created>

  constructor({ db, files, process }: { db: Db; files: Files; process: ProcessObjects }) {
    this.#db = db
    this.#files = files
    this.#process = process
    this.#groups = new Grouping({ run: (_key, items) => this.#createAll(items), items_max: GROUP_MAX })
  }

  /**
   * Runs `work`, which checks objects against the bucket and writes them, again with the bucket as it is
   * now whenever its schema has changed in between. Everything else that `work` throws ends it.
   */
  async checkedAgain<T>({ scope, bucket }: Target, work: (bucket: BucketRecord) => Promise<T>): Promise<T> {
    let current = bucket
    for (let attempt = 1; ; attempt++) {
      try {
        return await work(current)
      } catch (error) {
        const isChanged = error instanceof KuraError && error.code === 'bucket_schema_changed'
        if (!isChanged || attempt === ATTEMPTS_MAX) throw error
        current = await findBucket(this.#db, scope, bucket.bucket_id)
        requireWritable(current)
      }
    }
  }

  /** Each object is judged alone; a fault of the server rejects and leaves nothing behind. */
  async create(target: Target, objects: readonly PreparedObject[], options: CreateOptions): Promise<Created> {
    const { scope, bucket } = target
    const staged = stagedOf(objects)
    let kept: string[] = []
    try {
      // Only what was checked against one schema can be written by one writer.
      const key = `${scope.namespaceId} ${bucket.bucket_id} ${bucket.schema_version}`
      const created = await this.#groups.add(key, { target, objects, ...options })
      kept = created.results.flatMap((result) => ('object' in result ? fileIdsOf(result.object) : []))
      return created
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

  async #createAll(items: Item[]): Promise<Created[]> {
    const [{ target }] = items as [Item, ...Item[]]
    const created = await this.change(target, async (writer) => {
      const results = await writer.create(items.flatMap(({ objects }) => objects))
      const next = results[Symbol.iterator]()
      const all: Created[] = []
      for (const item of items) {
        const own = item.objects.map(() => next.next().value!)
        writer.events.push(...creationEvents(own, item))
        all.push({ results: own, started: item.process ? await this.#submit(writer.trx, item, own) : null })
      }
      return all
    })
    if (created.some(({ started }) => started)) this.#process.wake()
    return created
  }

  /** Objects that were found unchanged have been processed, or will be, on their own. */
  async #submit(
    trx: Trx,
    { target: { scope, bucket } }: Item,
    results: readonly WriteResult[],
  ): Promise<StartedBatch | null> {
    const objects = results.flatMap((result) =>
      'object' in result && result.how !== 'unchanged' ? [result.object] : [],
    )
    if (objects.length === 0) return null
    // Two objects of a request with one key are one object.
    const object_ids = [...new Set(objects.map(({ object_id }) => object_id))]
    const started = await this.#process.submit(trx, scope, bucket.bucket_id, object_ids)
    if (started) for (const object of objects) object.status = 'PENDING'
    return started
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
