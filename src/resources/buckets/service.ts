import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { onlyVisible } from '../../core/key-scopes.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Caller } from '../../core/permissions.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type Db, inTransaction, isUniqueViolation, type Trx } from '../../platform/db/db.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { auditChange, auditCreation } from './audit.ts'
import { deleteBucket } from './delete.ts'
import { BucketLister } from './list.ts'
import { bucketNotFound, DELETING, findBucket, requireActive } from './record.ts'
import {
  checkBucket,
  checkLock,
  checkStatus,
  checkUniqueKeyUnchanged,
  isEmptyPatch,
  maskSecrets,
  schemaChange,
} from './rules.ts'
import type {
  CreateBucketBody,
  DeleteBucketResponse,
  ListBucketsBody,
  PatchBucketBody,
  UpdateBucketBody,
} from './schemas.ts'
import * as store from './store.ts'

/**
 * Keeps source adapters with their secrets, which buckets only show masked. Given by the composition
 * root, because adapters look at buckets and so buckets do not look at adapters.
 */
export type SourceAdapters = {
  /** In the transaction that changes the bucket. Throws 422. */
  save(trx: Trx, scope: Scope, bucket_id: string, source_adapter: unknown): Promise<void>
}

/** Buckets; methods that answer with a bucket return its JSON text (`BucketResponse`), as the database wrote it. */
export class BucketService {
  readonly #db: Db
  readonly #queue: JobQueue
  readonly #adapters: SourceAdapters
  readonly #lister: BucketLister

  constructor({ db, queue, adapters }: { db: Db; queue: JobQueue; adapters: SourceAdapters }) {
    this.#db = db
    this.#adapters = adapters
    this.#queue = queue
    this.#lister = new BucketLister(db)
  }

  /** Throws `bucket_name_taken`, `reserved_name`, 422. */
  async create(scope: Scope, caller: Caller, body: CreateBucketBody): Promise<string> {
    const { bucket_name = body.bucket_name } = checkBucket(body, body)
    checkLock(caller, body.is_locked, false)
    const bucket: store.NewBucket = {
      bucket_id: newId.bucket(),
      bucket_name,
      description: body.description ?? null,
      bucket_schema: JSON.stringify(body.bucket_schema),
      unique_key: jsonOrNull(body.unique_key),
      metadata: JSON.stringify(body.metadata ?? {}),
      storage_class: body.storage_class ?? null,
      source_adapter: jsonOrNull(maskSecrets(body.source_adapter)),
      is_locked: body.is_locked ?? false,
      created_at: timestamp(),
    }
    await namedUniquely(bucket_name, () =>
      inTransaction(this.#db, async (trx) => {
        await store.insertBucket(trx, scope, bucket)
        if (body.source_adapter) await this.#adapters.save(trx, scope, bucket.bucket_id, body.source_adapter)
        await auditCreation(trx, scope, bucket)
      }),
    )
    return this.get(scope, bucket.bucket_id)
  }

  /** By id or name. Throws `bucket_not_found`. */
  async get(scope: Scope, identifier: string): Promise<string> {
    const json = await store.readBucketJson(this.#db, scope, identifier)
    if (json === undefined) throw bucketNotFound(identifier)
    return json
  }

  /** Answers with `ListBucketsResponse` as JSON text. */
  list(scope: Scope, body: ListBucketsBody, page: PageRequest): Promise<string> {
    return this.#lister.list(scope, onlyVisible(body, scope), page)
  }

  /** Sets the given members; `metadata` is replaced. */
  replace(scope: Scope, identifier: string, body: UpdateBucketBody): Promise<string> {
    return this.#change(scope, identifier, body, (row) => {
      requireActive(row)
      return {
        ...(typeof body.description === 'string' && { description: body.description }),
        ...(body.metadata && { metadata: JSON.stringify(body.metadata) }),
      }
    })
  }

  /**
   * Merges `metadata` (null removes a key) and sets the other members; null clears where that is
   * possible. Throws `bucket_inactive` unless it is the status itself that changes.
   */
  update(scope: Scope, caller: Caller, identifier: string, patch: PatchBucketBody): Promise<string> {
    if (isEmptyPatch(patch)) throw new KuraError('empty_update')
    return this.#change(scope, identifier, patch, (row) => {
      const status = row.status === DELETING ? undefined : checkStatus(caller, patch.status, row.status)
      if (status === undefined) requireActive(row)
      checkLock(caller, patch.is_locked, row.is_locked === 1)
      const metadata = patch.metadata && mergeMetadata(JSON.parse(row.metadata), patch.metadata)
      if (metadata) checkBucket({ metadata })
      return {
        ...(status !== undefined && { status }),
        ...(patch.description !== undefined && { description: patch.description }),
        ...(metadata && { metadata: JSON.stringify(metadata) }),
        ...(patch.bucket_schema && schemaChange(patch.bucket_schema, row)),
        ...(patch.storage_class !== undefined && { storage_class: patch.storage_class }),
        ...(patch.is_locked !== undefined && { is_locked: Number(patch.is_locked) }),
        ...(patch.source_adapter !== undefined && {
          source_adapter: jsonOrNull(maskSecrets(patch.source_adapter)),
        }),
      }
    })
  }

  /** Starts the deletion, or tells of the one under way. Throws `bucket_not_found`, `bucket_locked`. */
  async delete(scope: Scope, identifier: string): Promise<DeleteBucketResponse> {
    const answer = await deleteBucket({ db: this.#db, queue: this.#queue }, scope, identifier)
    this.#queue.wake()
    return answer
  }

  async #change(
    scope: Scope,
    identifier: string,
    body: UpdateBucketBody | PatchBucketBody,
    changesOf: (row: store.BucketRow) => store.BucketChanges,
  ): Promise<string> {
    const { bucket_schema = null } = body as PatchBucketBody
    const { bucket_name } = checkBucket(
      {
        ...(typeof body.bucket_name === 'string' && { bucket_name: body.bucket_name }),
        ...(body.metadata && { metadata: body.metadata }),
        ...(bucket_schema && { bucket_schema }),
      },
      body as PatchBucketBody,
    )
    return namedUniquely(bucket_name ?? '', () =>
      inTransaction(this.#db, async (trx) => {
        const row = await this.#lock(trx, scope, identifier)
        const wanted = changesOf(row)
        checkUniqueKeyUnchanged(body.unique_key, row)
        const changes = { ...(bucket_name !== undefined && { bucket_name }), ...wanted }
        await store.updateBucket(trx, scope, row, { ...changes, updated_at: timestamp() })
        if ('source_adapter' in changes)
          await this.#adapters.save(trx, scope, row.bucket_id, (body as PatchBucketBody).source_adapter)
        await auditChange(trx, scope, row, changes)
        return (await store.readBucketJson(trx, scope, row.bucket_id))!
      }),
    )
  }

  async #lock(trx: Trx, scope: Scope, identifier: string): Promise<store.BucketRow> {
    const { bucket_id } = await findBucket(trx, scope, identifier)
    const row = await store.lockBucket(trx, scope, bucket_id)
    if (!row) throw bucketNotFound(identifier)
    return row
  }
}

const jsonOrNull = (value: unknown) => (value === undefined || value === null ? null : JSON.stringify(value))

function mergeMetadata(current: Record<string, unknown>, patch: Record<string, unknown>) {
  const merged = { ...current, ...patch }
  for (const key in patch) if (patch[key] === null) delete merged[key]
  return merged
}

async function namedUniquely<T>(bucket_name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (isUniqueViolation(error)) throw new KuraError('bucket_name_taken', { bucket_name }, { cause: error })
    throw error
  }
}
