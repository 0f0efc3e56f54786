import { sql } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import { fromRow, type StoredObject, toRow } from './stored-object.ts'

/** Everything of a row but its tenant. */
export const OBJECT_COLUMNS = [
  'object_id',
  'bucket_id',
  'key_prefix',
  'status',
  'error',
  'size_bytes',
  'created_at',
  'updated_at',
  'unique_key_hash',
  'content_hash',
  'source_details',
  'fields',
  'blobs',
] as const

/** Ids of one `in (…)` and rows of one insert: under SQLite's bound of 32,766 parameters. */
const ROWS_MAX = 500

/** All objects of a bucket; lists add to it. */
export const objectsOf = (db: DbOrTrx, { namespaceId }: Scope, bucket_id: string) =>
  db.selectFrom('objects').where('namespace_id', '=', namespaceId).where('bucket_id', '=', bucket_id)

/** The object, or `object_not_found` when the bucket has none of this id. */
export async function getObject(
  db: DbOrTrx,
  scope: Scope,
  bucket_id: string,
  object_id: string,
): Promise<StoredObject> {
  const row = await objectsOf(db, scope, bucket_id)
    .select(OBJECT_COLUMNS)
    .where('object_id', '=', object_id)
    .executeTakeFirst()
  if (!row) throw objectNotFound(object_id)
  return fromRow(row)
}

/** `getObject` for a transaction that will change the object: other writers wait on PostgreSQL. */
export async function lockObject(
  trx: Trx,
  scope: Scope,
  bucket_id: string,
  object_id: string,
): Promise<StoredObject> {
  const query = objectsOf(trx, scope, bucket_id).select(OBJECT_COLUMNS).where('object_id', '=', object_id)
  const row = await (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
  if (!row) throw objectNotFound(object_id)
  return fromRow(row)
}

export const objectNotFound = (id: string) => new KuraError('object_not_found', { resource: 'object', id })

export async function lockObjectByKey(
  trx: Trx,
  scope: Scope,
  bucket_id: string,
  unique_key_hash: string,
): Promise<StoredObject | undefined> {
  const query = objectsOf(trx, scope, bucket_id)
    .select(OBJECT_COLUMNS)
    .where('unique_key_hash', '=', unique_key_hash)
  const row = await (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
  return row && fromRow(row)
}

/** The oldest object of the bucket with this content; writers of the same content take turns. */
export async function lockObjectByContent(
  trx: Trx,
  scope: Scope,
  bucket_id: string,
  content_hash: string,
): Promise<StoredObject | undefined> {
  if (dialect(trx) === 'postgres') {
    const name = `${scope.namespaceId} ${bucket_id} ${content_hash}`
    await sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(trx)
  }
  const row = await objectsOf(trx, scope, bucket_id)
    .select(OBJECT_COLUMNS)
    .where('content_hash', '=', content_hash)
    // An expression: by the bare column SQLite would walk the whole bucket in the order of its age.
    .orderBy(sql`created_at || ''`)
    .orderBy('object_id')
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function insertObjects(
  trx: Trx,
  { namespaceId }: Scope,
  objects: readonly StoredObject[],
): Promise<void> {
  for (let start = 0; start < objects.length; start += ROWS_MAX) {
    const rows = objects.slice(start, start + ROWS_MAX)
    await trx
      .insertInto('objects')
      .values(rows.map((object) => ({ namespace_id: namespaceId, ...toRow(object) })))
      .execute()
  }
}

export async function updateObject(trx: Trx, { namespaceId }: Scope, object: StoredObject): Promise<void> {
  const { object_id, bucket_id: _, created_at: __, ...changes } = toRow(object)
  await trx
    .updateTable('objects')
    .set(changes)
    .where('namespace_id', '=', namespaceId)
    .where('object_id', '=', object_id)
    .execute()
}

export async function deleteObject(trx: Trx, { namespaceId }: Scope, object_id: string): Promise<void> {
  await trx
    .deleteFrom('objects')
    .where('namespace_id', '=', namespaceId)
    .where('object_id', '=', object_id)
    .execute()
}
