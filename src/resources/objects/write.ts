import type { BlobEntry } from '../../core/blob-entry.ts'
import { KuraError } from '../../core/errors.ts'
import { fileAddress } from '../../core/file-address.ts'
import { newId } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { uniqueKeyOf } from '../../core/unique-key.ts'
import type { Trx } from '../../platform/db/db.ts'
import { type NewEvent, recordEvents } from '../../platform/events/outbox.ts'
import type { Files, OrphanedFile, StagedFile } from '../../platform/files/files.ts'
import { type BucketRecord, changeObjectStats } from '../buckets/index.ts'
import type { PreparedBlob } from './blob-reader.ts'
import { mergeBlobs, mergeFields, sameBlobs } from './merge.ts'
import { newFields, type PreparedObject, requireFit, stagedFiles } from './prepare.ts'
import * as store from './store.ts'
import { contentHashOf, type StoredObject, sizeOf } from './stored-object.ts'

/** What became of an object, or why it was refused. */
export type Written = {
  object: StoredObject
  how: 'created' | 'updated' | 'unchanged'
}
export type WriteResult = Written | { error: KuraError }

/** Collects, inside one transaction, what must be told to the bucket and cleaned up after the commit. */
export class ObjectWriter {
  /** For what must happen in the same transaction. */
  readonly trx: Trx
  readonly #scope: Scope
  readonly #bucket: BucketRecord
  readonly #files: Files
  readonly #added: number[] = []
  readonly #removed: number[] = []
  /** Bytes to delete once the transaction has committed. */
  readonly orphans: OrphanedFile[] = []
  /** What webhooks are told of, in the same transaction. */
  readonly events: NewEvent[] = []

  constructor(trx: Trx, { scope, bucket, files }: { scope: Scope; bucket: BucketRecord; files: Files }) {
    this.trx = trx
    this.#scope = scope
    this.#bucket = bucket
    this.#files = files
  }

  /** New objects, each judged alone: what one breaks does not touch the others. */
  async create(items: readonly PreparedObject[]): Promise<WriteResult[]> {
    const results = new Map<PreparedObject, WriteResult>()
    const fresh: { item: PreparedObject; object: StoredObject }[] = []
    const looking: Looking[] = []
    for (const item of items) {
      // Taken in the order of the request, so that lists show it whatever order the rows are written in.
      const created_at = timestamp()
      const name = lookedFor(item)
      if (name !== null) {
        looking.push({ item, name, created_at })
        continue
      }
      const result = await refusable(async () => {
        return { object: newObject(this.#bucket, item, created_at), how: 'created' }
      })
      results.set(item, result)
      if ('object' in result) fresh.push({ item, object: result.object })
    }
    await this.#insert(fresh, false)
    // One by one, so that the later of two equals sees the earlier; and every server in the same order
    // (the sort keeps equals in theirs), so that two of them do not wait for each other.
    looking.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    for (const one of looking) results.set(one.item, await refusable(() => this.#place(one)))
    return items.map((item) => results.get(item)!)
  }

  async #place({ item, created_at }: Looking): Promise<Written> {
    if (item.key) {
      const { hash, policy, values } = item.key
      const known = await store.lockObjectByKey(this.trx, this.#scope, this.#bucket.bucket_id, hash)
      if (known && policy === 'insert')
        throw new KuraError('unique_key_exists', { existing_object_id: known.object_id, unique_key: values })
      if (!known && policy === 'update') throw new KuraError('unique_key_not_found', { unique_key: values })
      if (known) return this.update(known, item, { null_removes: false, restart: true })
    }
    if (item.request.skip_duplicates) {
      const hash = contentHashOf(entriesOf(item.blobs))
      const equal =
        hash && (await store.lockObjectByContent(this.trx, this.#scope, this.#bucket.bucket_id, hash))
      if (equal) return { object: equal, how: 'unchanged' }
    }
    const object = newObject(this.#bucket, item, created_at)
    await this.#insert([{ item, object }], item.request.skip_duplicates)
    return { object, how: 'created' }
  }

  async #insert(
    fresh: readonly { item: PreparedObject; object: StoredObject }[],
    share: boolean,
  ): Promise<void> {
    if (fresh.length === 0) return
    await this.#commitFiles(
      fresh.map(({ item: { blobs }, object }) => ({ object, blobs })),
      share,
    )
    const objects = fresh.map(({ object }) => object)
    await store.insertObjects(this.trx, this.#scope, objects)
    this.#added.push(...objects.map(({ size_bytes }) => size_bytes))
  }

  /** Merges an update into an object whose row the transaction holds. Throws before it writes. */
  async update(
    current: StoredObject,
    { request, blobs }: PreparedObject,
    { null_removes, restart }: { null_removes: boolean; restart: boolean },
  ): Promise<Written> {
    const fields = mergeFields(current.fields, request.fields, { null_removes })
    let merged = mergeBlobs(current.blobs, blobs, request)
    if (null_removes) merged = merged.filter(({ property }) => request.fields[property] !== null)
    requireFit(this.#bucket.schema, { fields, blob_properties: propertiesOf(merged) }, request.loc)
    const unique_key_hash = await this.#checkKey(current, fields, request.loc)
    const isReset = restart || !sameBlobs(current.blobs, merged)
    const object: StoredObject = {
      ...current,
      fields,
      blobs: merged,
      key_prefix: request.key_prefix === undefined ? current.key_prefix : request.key_prefix,
      unique_key_hash,
      size_bytes: sizeOf(merged),
      content_hash: contentHashOf(merged),
      updated_at: timestamp(),
      ...(isReset && { status: 'DRAFT', error: null }),
    }
    await this.#commitFiles([{ object, blobs }], request.skip_duplicates)
    await this.#dropFiles(current, object)
    await store.updateObject(this.trx, this.#scope, object)
    this.#removed.push(current.size_bytes)
    this.#added.push(object.size_bytes)
    return { object, how: 'updated' }
  }

  /** The key of the changed object; throws `unique_key_exists` when another object has it. */
  async #checkKey(
    current: StoredObject,
    fields: JsonObject,
    loc: (string | number)[],
  ): Promise<string | null> {
    const { unique_key, schema, bucket_id } = this.#bucket
    if (!unique_key) return current.unique_key_hash
    const { hash, values } = uniqueKeyOf(unique_key, schema, fields, loc)
    if (hash === current.unique_key_hash) return hash
    const other = await store.lockObjectByKey(this.trx, this.#scope, bucket_id, hash)
    if (other)
      throw new KuraError('unique_key_exists', { existing_object_id: other.object_id, unique_key: values })
    return hash
  }

  /** The object as it is now; no other writer changes it before the commit. Throws `object_not_found`. */
  lock(object_id: string): Promise<StoredObject> {
    return store.lockObject(this.trx, this.#scope, this.#bucket.bucket_id, object_id)
  }

  async remove(object: StoredObject): Promise<void> {
    await store.deleteObject(this.trx, this.#scope, object.object_id)
    this.orphans.push(...(await this.#files.release(this.trx, this.#scope, 'object', [object.object_id])))
    this.#removed.push(object.size_bytes)
  }

  /** Gives staged files their rows. With sharing the entries then name the files that existed before. */
  async #commitFiles(
    items: readonly { object: StoredObject; blobs: readonly PreparedBlob[] }[],
    share: boolean,
  ): Promise<void> {
    const staged = items.flatMap(({ object, blobs }) =>
      blobs.flatMap((blob) =>
        blob.kind === 'entry' && blob.staged ? [{ object, blob, file: blob.staged }] : [],
      ),
    )
    const isShared = ({ blob }: { blob: { force_remirror: boolean } }) => share && !blob.force_remirror
    await this.#commitGroup(
      staged.filter((one) => !isShared(one)),
      false,
    )
    await this.#commitGroup(staged.filter(isShared), true)
    for (const { object, blobs } of items) {
      for (const { entry, staged: bytes } of entryBlobs(blobs)) {
        if (bytes || entry.file_id === null) continue
        await this.#files.reference(this.trx, this.#scope, entry.file_id, ownerOf(object))
      }
    }
  }

  async #commitGroup(
    group: readonly { object: StoredObject; blob: { entry: BlobEntry }; file: StagedFile }[],
    share: boolean,
  ): Promise<void> {
    if (group.length === 0) return
    const items = group.map(({ object, file }) => ({ owner: ownerOf(object), staged: [file] }))
    const file_ids = await this.#files.commitAll(this.trx, this.#scope, items, { share })
    for (const [i, { blob }] of group.entries()) {
      const file_id = file_ids[i]![0]!
      blob.entry.file_id = file_id
      blob.entry.properties.url = fileAddress(file_id)
    }
  }

  async #dropFiles(before: StoredObject, after: StoredObject): Promise<void> {
    const still = new Set(after.blobs.map(({ file_id }) => file_id))
    const dropped = before.blobs.flatMap(({ file_id }) =>
      file_id !== null && !still.has(file_id) ? [file_id] : [],
    )
    this.orphans.push(...(await this.#files.releaseFiles(this.trx, this.#scope, ownerOf(after), dropped)))
  }

  /**
   * MUST be the last step of the transaction: counters of the bucket and events follow the rows. Throws
   * `bucket_schema_changed` when the objects were checked against a schema that is no longer the bucket's.
   */
  async finish(): Promise<void> {
    const changes = { added: this.#added, removed: this.#removed }
    const { bucket_id, schema_version } = this.#bucket
    await changeObjectStats(this.trx, this.#scope, bucket_id, changes, { schema_version })
    await recordEvents(this.trx, this.#scope, this.events)
  }
}

/** An object that must look at others before it is written, and what it looks for. */
type Looking = { item: PreparedObject; name: string; created_at: string }

/** The unique key or the content by which an object may be there already; null: it is new in any case. */
function lookedFor({ key, request, blobs }: PreparedObject): string | null {
  if (key) return key.hash
  return request.skip_duplicates ? (contentHashOf(entriesOf(blobs)) ?? '') : null
}

function newObject(
  { bucket_id, schema }: BucketRecord,
  { request, blobs, key }: PreparedObject,
  created_at: string,
): StoredObject {
  const entries = entriesOf(blobs)
  return {
    object_id: newId.object(),
    bucket_id,
    key_prefix: request.key_prefix ?? null,
    status: 'DRAFT',
    error: null,
    size_bytes: sizeOf(entries),
    created_at,
    updated_at: created_at,
    unique_key_hash: key?.hash ?? null,
    content_hash: contentHashOf(entries),
    source_details: [{ type: 'bucket', source_id: bucket_id }],
    fields: newFields(schema, request, propertiesOf(entries)),
    blobs: entries,
  }
}

const ownerOf = ({ object_id }: StoredObject) => ({ type: 'object' as const, id: object_id })

const propertiesOf = (blobs: readonly BlobEntry[]) => new Set(blobs.map(({ property }) => property))

const entryBlobs = (blobs: readonly PreparedBlob[]) => blobs.filter((blob) => blob.kind === 'entry')

const entriesOf = (blobs: readonly PreparedBlob[]) => entryBlobs(blobs).map(({ entry }) => entry)

/**
 * Turns a refusal into a result; faults of the server still end the transaction. So does a stored file
 * that vanished since it was looked at: other files of the object may have been written by then.
 */
async function refusable(work: () => Promise<Written>): Promise<WriteResult> {
  try {
    return await work()
  } catch (error) {
    const isLate = error instanceof KuraError && error.code === 'file_not_found'
    if (error instanceof KuraError && error.row.status < 500 && !isLate) return { error }
    throw error
  }
}

/** All bytes that the objects brought along. */
export const stagedOf = (items: readonly PreparedObject[]): StagedFile[] =>
  items.flatMap(({ blobs }) => stagedFiles(blobs))
