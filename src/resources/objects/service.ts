import { KuraError } from '../../core/errors.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { Gate } from '../../lib/gate.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import { type BucketRecord, findBucket, requireWritable } from '../buckets/index.ts'
import { aggregateObjects, readAggregation } from './aggregate.ts'
import type { BlobReader } from './blob-reader.ts'
import { removeDocumentsOf } from './cascade.ts'
import { prepareMany, summarize } from './create-many.ts'
import { dropObjectsFromDrafts } from './drop-from-drafts.ts'
import { objectEvent } from './events.ts'
import { listObjects } from './list.ts'
import { readQuery } from './list-query.ts'
import type { Created, ObjectWrites } from './object-writes.ts'
import {
  type PreparedObject,
  type PrepareOptions,
  prepareNew,
  prepareUpdate,
  resolvePolicy,
  stagedFiles,
} from './prepare.ts'
import { type Presign, presentObject, presentWritten, selectMembers } from './present.ts'
import { readObject } from './request.ts'
import type {
  AggregateObjectsBody,
  AggregateObjectsResponse,
  CreateObjectBody,
  CreateObjectsBatchResponse,
  ListObjectsBody,
  ListObjectsQuery,
  ListObjectsResponse,
  ObjectResponse,
  WriteQuery,
} from './schemas.ts'
import * as store from './store.ts'
import type { Written } from './write.ts'

/** How long a presigned address works (contract, objects). */
const PRESIGNED_SECONDS = 3600

/** Aggregations that run at the same time in one process: each may hold many megabytes. */
const AGGREGATIONS_MAX = 2

export type ObjectServiceOptions = {
  db: Db
  files: Files
  reader: BlobReader
  writes: ObjectWrites
}

type Options = { signal?: AbortSignal }
type ListRequest = {
  body: ListObjectsBody
  query: ListObjectsQuery
  page: PageRequest
  /** Where signed addresses of stored blobs lead; null: none are made. */
  presign_base: string | null
  signal?: AbortSignal
}
type Change = { null_removes: boolean }

export class ObjectService {
  readonly #db: Db
  readonly #files: Files
  readonly #reader: BlobReader
  readonly #writes: ObjectWrites
  readonly #aggregations = new Gate(AGGREGATIONS_MAX)

  constructor({ db, files, reader, writes }: ObjectServiceOptions) {
    this.#db = db
    this.#files = files
    this.#reader = reader
    this.#writes = writes
  }

  async create(
    scope: Scope,
    bucket_identifier: string,
    body: CreateObjectBody,
    query: WriteQuery,
    { signal }: Options = {},
  ): Promise<ObjectResponse> {
    const found = await this.#writableBucket(scope, bucket_identifier)
    return this.#writes.checkedAgain({ scope, bucket: found }, async (bucket) => {
      const policy = resolvePolicy(bucket, query.policy)
      const request = readObject(bucket.schema, body, ['body'])
      const prepared = await prepareNew(this.#preparing(scope, bucket, signal), request, policy)
      const options = { together: false, process: query.auto_process }
      const { results, started } = await this.#writes.create({ scope, bucket }, [prepared], options)
      const [result] = results
      if ('error' in result!) throw result.error
      return { ...presentWritten(bucket, result as Written), ...started }
    })
  }

  /** Objects are judged one by one: 200 unless every one of them fails. */
  async createBatch(
    scope: Scope,
    bucket_identifier: string,
    { objects }: { objects: readonly unknown[] },
    query: WriteQuery,
    { signal }: Options = {},
  ): Promise<CreateObjectsBatchResponse> {
    const found = await this.#writableBucket(scope, bucket_identifier)
    return this.#writes.checkedAgain({ scope, bucket: found }, (bucket) =>
      this.#createBatch(scope, bucket, objects, query, signal),
    )
  }

  async #createBatch(
    scope: Scope,
    bucket: BucketRecord,
    objects: readonly unknown[],
    query: WriteQuery,
    signal: AbortSignal | undefined,
  ): Promise<CreateObjectsBatchResponse> {
    const policy = resolvePolicy(bucket, query.policy)
    const options = this.#preparing(scope, bucket, signal)
    const prepared = await prepareMany(options, objects, policy)
    const good = prepared.filter((one) => 'blobs' in one)
    const { results, started }: Created =
      good.length > 0
        ? await this.#writes.create({ scope, bucket }, good, { together: true, process: query.auto_process })
        : { results: [], started: null }
    const next = results[Symbol.iterator]()
    const outcomes = prepared.map((one) => ('error' in one ? one : next.next().value!))
    const response = summarize(bucket, outcomes)
    if (response.succeeded_count === 0) throw new KuraError('all_objects_failed', response)
    return { ...response, ...started }
  }

  async get(
    scope: Scope,
    bucket_identifier: string,
    object_id: string,
    { presign_base }: { presign_base: string | null },
  ): Promise<ObjectResponse> {
    const { bucket_id } = await findBucket(this.#db, scope, bucket_identifier)
    const object = await store.getObject(this.#db, scope, bucket_id, object_id)
    return presentObject(object, this.#presign(scope, presign_base))
  }

  async list(
    scope: Scope,
    bucket_identifier: string,
    { body, query, page, presign_base, signal }: ListRequest,
  ): Promise<ListObjectsResponse> {
    const { bucket_id, object_count } = await findBucket(this.#db, scope, bucket_identifier)
    const path = `/v1/buckets/${encodeURIComponent(bucket_identifier)}/objects/list`
    const list = { bucket_id, object_count, query: readQuery(body, query), page, path, signal }
    const { objects, pagination, stats } = await listObjects(this.#db, scope, list)
    const presign = this.#presign(scope, presign_base)
    const { select } = body
    const results = objects.map((object) => {
      const presented = presentObject(object, presign)
      return select ? selectMembers(presented, select) : presented
    })
    return { results, pagination, ...(stats && { stats }) }
  }

  async aggregate(
    scope: Scope,
    bucket_identifier: string,
    body: AggregateObjectsBody,
    { signal }: Options = {},
  ): Promise<AggregateObjectsResponse> {
    const aggregation = readAggregation(body)
    const { bucket_id } = await findBucket(this.#db, scope, bucket_identifier)
    return this.#aggregations.run(() =>
      aggregateObjects(this.#db, scope, bucket_id, { ...aggregation, signal }),
    )
  }

  /** PUT (`null_removes` false) and PATCH. */
  async update(
    scope: Scope,
    bucket_identifier: string,
    object_id: string,
    body: CreateObjectBody,
    options: Change & Options,
  ): Promise<ObjectResponse> {
    const found = await this.#writableBucket(scope, bucket_identifier)
    return this.#writes.checkedAgain({ scope, bucket: found }, (bucket) =>
      this.#update(scope, bucket, object_id, body, options),
    )
  }

  async #update(
    scope: Scope,
    bucket: BucketRecord,
    object_id: string,
    body: CreateObjectBody,
    { null_removes, signal }: Change & Options,
  ): Promise<ObjectResponse> {
    // Before anything is fetched: an unknown object is a 404 whatever the update holds.
    await store.getObject(this.#db, scope, bucket.bucket_id, object_id)
    const request = readObject(bucket.schema, body, ['body'])
    const isEmpty = Object.keys(request.fields).length === 0 && request.blobs.length === 0
    if (null_removes && isEmpty && request.key_prefix === undefined) throw new KuraError('empty_update')
    const prepared = await prepareUpdate(this.#preparing(scope, bucket, signal), request)
    const { object } = await this.#applyUpdate(scope, bucket, object_id, prepared, { null_removes })
    return presentObject(object)
  }

  async #applyUpdate(
    scope: Scope,
    bucket: BucketRecord,
    object_id: string,
    prepared: PreparedObject,
    { null_removes }: Change,
  ): Promise<Written> {
    let kept: string[] = []
    try {
      return await this.#writes.change({ scope, bucket }, async (writer) => {
        const current = await writer.lock(object_id)
        const written = await writer.update(current, prepared, { null_removes, restart: false })
        writer.events.push(objectEvent('object.updated', written.object))
        kept = written.object.blobs.flatMap(({ file_id }) => file_id ?? [])
        return written
      })
    } catch (error) {
      kept = []
      throw error
    } finally {
      await this.#files.discard(stagedFiles(prepared.blobs), kept)
    }
  }

  /** With `cascade` the documents made from the object go too. */
  async delete(
    scope: Scope,
    bucket_identifier: string,
    object_id: string,
    { cascade }: { cascade: boolean },
  ): Promise<void> {
    const bucket = await this.#writableBucket(scope, bucket_identifier)
    await this.#writes.change({ scope, bucket }, async (writer) => {
      await dropObjectsFromDrafts(writer.trx, scope, [object_id])
      const object = await writer.lock(object_id)
      await writer.remove(object)
      writer.events.push(objectEvent('object.deleted', object))
      if (cascade)
        writer.orphans.push(...(await removeDocumentsOf(writer.trx, scope, this.#files, object_id)))
    })
  }

  async #writableBucket(scope: Scope, identifier: string): Promise<BucketRecord> {
    const bucket = await findBucket(this.#db, scope, identifier)
    requireWritable(bucket)
    return bucket
  }

  #preparing(scope: Scope, bucket: BucketRecord, signal: AbortSignal | undefined): PrepareOptions {
    return { files: this.#files, reader: this.#reader, scope, bucket, signal }
  }

  #presign(scope: Scope, base_url: string | null): Presign | null {
    if (base_url === null) return null
    return (file_id) =>
      this.#files.signedUrl(scope, file_id, { base_url, expires_in_seconds: PRESIGNED_SECONDS })
  }
}
