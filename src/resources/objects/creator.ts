import { ValidationError, type Violation } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { UniqueKey } from '../../core/unique-key.ts'
import { validator } from '../../core/validation.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { BucketRecord } from '../buckets/index.ts'
import type { BlobReader } from './blob-reader.ts'
import { creationEvents } from './events.ts'
import type { ObjectWrites } from './object-writes.ts'
import { checkNew, type Policy, prepareNew, resolvePolicy, stagedFiles } from './prepare.ts'
import { type ObjectRequest, readObject } from './request.ts'
import { type CreateObjectBody, CreateObjectBody as CreateObjectSchema } from './schemas.ts'

type Loc = (string | number)[]

export type NewObject = {
  /** Members as in a request that creates an object. */
  body: Record<string, unknown>
  policy: Policy | null | undefined
  /** Where errors say the object stands. */
  loc: Loc
}

/** Creates objects for other resources, inside their transactions, by the way that requests go. */
export class ObjectCreator {
  readonly #files: Files
  readonly #reader: BlobReader
  readonly #writes: ObjectWrites

  constructor({ files, reader, writes }: { files: Files; reader: BlobReader; writes: ObjectWrites }) {
    this.#files = files
    this.#reader = reader
    this.#writes = writes
  }

  /**
   * Checks an object that is to be created later; nothing is fetched or stored. Throws what creating it
   * would throw, as far as that can be told now, and returns its unique key and what happens to it.
   */
  check(bucket: BucketRecord, { body, policy, loc }: NewObject): (UniqueKey & { policy: Policy }) | null {
    return checkNew(bucket, readBody(bucket, body, loc), resolvePolicy(bucket, policy))
  }

  /** The object of the bucket that has this unique key. */
  async findByKey(
    db: DbOrTrx,
    { namespaceId }: Scope,
    bucket_id: string,
    { hash }: UniqueKey,
  ): Promise<string | undefined> {
    const row = await db
      .selectFrom('objects')
      .select('object_id')
      .where('namespace_id', '=', namespaceId)
      .where('bucket_id', '=', bucket_id)
      .where('unique_key_hash', '=', hash)
      .executeTakeFirst()
    return row?.object_id
  }

  /**
   * Runs `work` in the transaction that may create the object: `create` does it and returns its id.
   * After a lost race `work` runs again, so it MUST keep what it finds out to itself until it returns.
   */
  createWith<T>(
    scope: Scope,
    bucket: BucketRecord,
    object: NewObject,
    work: (trx: Trx, create: () => Promise<string>) => Promise<T>,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<T> {
    return this.#writes.checkedAgain({ scope, bucket }, (current) =>
      this.#createWith(scope, current, object, work, signal),
    )
  }

  async #createWith<T>(
    scope: Scope,
    bucket: BucketRecord,
    { body, policy, loc }: NewObject,
    work: (trx: Trx, create: () => Promise<string>) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const options = { files: this.#files, reader: this.#reader, scope, bucket, signal }
    const request = readBody(bucket, body, loc)
    const prepared = await prepareNew(options, request, resolvePolicy(bucket, policy))
    let kept: string[] = []
    try {
      return await this.#writes.change({ scope, bucket }, (writer) => {
        kept = []
        return work(writer.trx, async () => {
          const [result] = await writer.create([prepared])
          if ('error' in result!) throw result.error
          writer.events.push(...creationEvents([result!], { together: false }))
          kept = result!.object.blobs.flatMap(({ file_id }) => file_id ?? [])
          return result!.object.object_id
        })
      })
    } catch (error) {
      kept = []
      throw error
    } finally {
      await this.#files.discard(stagedFiles(prepared.blobs), kept)
    }
  }
}

function readBody({ schema }: BucketRecord, body: Record<string, unknown>, loc: Loc): ObjectRequest {
  const violations: Violation[] = []
  const checked = validator(CreateObjectSchema)(body, loc, violations) as CreateObjectBody
  if (violations.length > 0) throw new ValidationError(violations)
  return readObject(schema, checked, loc)
}
