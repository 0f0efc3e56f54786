import { type BucketSchema, isFileType } from '../../core/bucket-schema.ts'
import { KuraError } from '../../core/errors.ts'
import type { JsonObject, JsonValue } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { Trx } from '../../platform/db/db.ts'
import type { Files, StagedFile } from '../../platform/files/files.ts'
import { fitsBlobType } from '../../platform/media/mime.ts'
import type { BucketRecord } from '../buckets/index.ts'
import type { BlobReader } from './blob-reader.ts'
import { removeDocumentsOf } from './cascade.ts'
import { dropObjectsFromDrafts } from './drop-from-drafts.ts'
import { creationEvents, objectEvent } from './events.ts'
import type { ObjectWrites } from './object-writes.ts'
import { type PreparedObject, prepareNew } from './prepare.ts'
import { type BlobRequest, readObject } from './request.ts'
import { type ObjectWriter, stagedOf, type WriteResult } from './write.ts'

const LOC = ['object']

/** An object whose file has been fetched already. */
export type TakenObject = {
  fields: JsonObject
  /** Blobs that are given by value or address. */
  blobs: readonly { property: string; data: JsonValue }[]
  /** The fetched file; without a property it goes where it fits. */
  file: { staged: StagedFile; property: string | null } | null
  skip_duplicates: boolean
}

/** Takes objects in from sources, through the checks and writes of every other object. */
export class ObjectIntake {
  readonly #files: Files
  readonly #reader: BlobReader
  readonly #writes: ObjectWrites

  constructor({ files, reader, writes }: { files: Files; reader: BlobReader; writes: ObjectWrites }) {
    this.#files = files
    this.#reader = reader
    this.#writes = writes
  }

  /** Throws what creating the object would throw; the staged file is then discarded. */
  async prepare(
    scope: Scope,
    bucket: BucketRecord,
    { fields, blobs, file, skip_duplicates }: TakenObject,
    signal: AbortSignal,
  ): Promise<PreparedObject> {
    try {
      const body = {
        ...fields,
        blobs: [...blobs],
        skip_duplicates,
        canonicalize_source: true,
        force_remirror: false,
      }
      const request = readObject(bucket.schema, body, LOC)
      if (file) request.blobs.push(fileRequest(bucket, file))
      const options = { files: this.#files, reader: this.#reader, scope, bucket, signal }
      return await prepareNew(options, request, bucket.unique_key ? 'upsert' : null)
    } catch (error) {
      if (file) await this.#files.discard([file.staged])
      throw error
    }
  }

  /**
   * Runs `work` in a transaction that may write objects. After a lost race it runs again, so it MUST
   * keep what it finds out to itself. Whoever prepared an object discards it afterwards.
   */
  write<T>(scope: Scope, bucket: BucketRecord, work: (writer: IntakeWriter) => Promise<T>): Promise<T> {
    return this.#writes.change({ scope, bucket }, (writer) =>
      work(new IntakeWriter(writer, scope, this.#files)),
    )
  }

  /** Drops the bytes that no row came to name. */
  discard(prepared: PreparedObject): Promise<void> {
    return this.#files.discard(stagedOf([prepared]))
  }
}

/** What may be done to objects in one transaction. */
export class IntakeWriter {
  readonly trx: Trx
  readonly #writer: ObjectWriter
  readonly #scope: Scope
  readonly #files: Files

  constructor(writer: ObjectWriter, scope: Scope, files: Files) {
    this.trx = writer.trx
    this.#writer = writer
    this.#scope = scope
    this.#files = files
  }

  async create(objects: readonly PreparedObject[]): Promise<WriteResult[]> {
    const results = await this.#writer.create(objects)
    this.#writer.events.push(...creationEvents(results, { together: true }))
    return results
  }

  /** Null when the object is gone. */
  async update(object_id: string, prepared: PreparedObject): Promise<WriteResult | null> {
    try {
      const current = await this.#writer.lock(object_id)
      const written = await this.#writer.update(current, prepared, { null_removes: false, restart: true })
      this.#writer.events.push(objectEvent('object.updated', written.object))
      return written
    } catch (error) {
      if (!(error instanceof KuraError) || error.row.status >= 500) throw error
      return error.code === 'object_not_found' ? null : { error }
    }
  }

  /** Removes the object with what was made from it; false when it is gone already. */
  async remove(object_id: string): Promise<boolean> {
    await dropObjectsFromDrafts(this.trx, this.#scope, [object_id])
    try {
      const object = await this.#writer.lock(object_id)
      await this.#writer.remove(object)
      this.#writer.events.push(objectEvent('object.deleted', object))
    } catch (error) {
      if (error instanceof KuraError && error.code === 'object_not_found') return false
      throw error
    }
    const orphans = await removeDocumentsOf(this.trx, this.#scope, this.#files, object_id)
    this.#writer.orphans.push(...orphans)
    return true
  }
}

/** Where the file goes: the named property, else `content` if it fits there, else the only one where it does. */
function fileRequest(
  { schema }: BucketRecord,
  { staged, property }: { staged: StagedFile; property: string | null },
): BlobRequest {
  const name = property ?? (schema ? fittingProperty(schema, staged.mime_type) : 'content')
  return {
    property: name,
    type: schema?.properties[name]?.type ?? null,
    candidates: [],
    source: { staged },
    key_prefix: null,
    metadata: null,
    canonicalize: true,
    force_remirror: false,
    loc: LOC,
  }
}

function fittingProperty(schema: BucketSchema, mime_type: string): string {
  const fitting = Object.entries(schema.properties)
    .filter(([, { type }]) => isFileType(type) && fitsBlobType(mime_type, type))
    .map(([name]) => name)
  if (fitting.includes('content')) return 'content'
  if (fitting.length !== 1) throw new KuraError('blob_property_ambiguous', { properties: fitting, mime_type })
  return fitting[0]!
}
