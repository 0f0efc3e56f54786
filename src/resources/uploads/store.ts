import { type Insertable, sql, type Updateable } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import type { UploadRow } from './record.ts'
import { uploadNotFound } from './take.ts'

/** `bucket_id` given: only if it is one of that bucket. Throws `upload_not_found`. */
export async function findUpload(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  upload_id: string,
  { bucket_id, lock = false }: { bucket_id?: string; lock?: boolean } = {},
): Promise<UploadRow> {
  let query = db
    .selectFrom('uploads')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('upload_id', '=', upload_id)
  if (bucket_id !== undefined) query = query.where('bucket_id', '=', bucket_id)
  const row = await (lock && dialect(db) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
  if (!row) throw uploadNotFound(upload_id)
  return row
}

export async function insertUploads(trx: Trx, rows: readonly Insertable<Schema['uploads']>[]): Promise<void> {
  if (rows.length > 0) await trx.insertInto('uploads').values(rows).execute()
}

export async function updateUpload(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  upload_id: string,
  change: Updateable<Schema['uploads']>,
): Promise<void> {
  await db
    .updateTable('uploads')
    .set(change)
    .where('namespace_id', '=', namespaceId)
    .where('upload_id', '=', upload_id)
    .execute()
}

export async function deleteUploads(
  trx: Trx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  upload_ids: readonly string[],
): Promise<void> {
  await trx
    .deleteFrom('uploads')
    .where('namespace_id', '=', namespaceId)
    .where('upload_id', 'in', upload_ids)
    .execute()
}

/** Lets those who count open uploads before they add some come one after the other. SQLite has one writer. */
export async function lockOpen(trx: Trx, { organizationId }: Scope): Promise<void> {
  if (dialect(trx) === 'sqlite') return
  await sql`select pg_advisory_xact_lock(hashtextextended(${`open uploads ${organizationId}`}, 0))`.execute(
    trx,
  )
}

/** Open uploads of the organization, and of one bucket. */
export async function countOpen(
  db: DbOrTrx,
  { organizationId, namespaceId }: Scope,
  bucket_id: string,
): Promise<{ all: number; bucket: number }> {
  const row = await db
    .selectFrom('uploads')
    .select([
      sql<number>`count(*)`.as('all'),
      sql<number>`coalesce(sum(case when namespace_id = ${namespaceId} and bucket_id = ${bucket_id} then 1 else 0 end), 0)`.as(
        'bucket',
      ),
    ])
    .where('organization_id', '=', organizationId)
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow()
  return { all: Number(row.all), bucket: Number(row.bucket) }
}

/**
 * The oldest confirmed upload of the bucket with these bytes; `with_object`: whose object is still there,
 * as somebody who wants an object is not served without one.
 */
export async function findEqual(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  bucket_id: string,
  { file_hash, with_object }: { file_hash: string; with_object: boolean },
): Promise<UploadRow | undefined> {
  let query = db
    .selectFrom('uploads')
    .selectAll('uploads')
    .where('uploads.namespace_id', '=', namespaceId)
    .where('uploads.bucket_id', '=', bucket_id)
    .where('uploads.file_hash', '=', file_hash)
    .where('uploads.status', '=', 'COMPLETED')
    .where('uploads.file_id', 'is not', null)
  if (with_object)
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('objects')
          .select('objects.object_id')
          .where('objects.namespace_id', '=', namespaceId)
          .whereRef('objects.object_id', '=', 'uploads.object_id'),
      ),
    )
  return query
    .orderBy('uploads.is_duplicate')
    .orderBy('uploads.completed_at')
    .orderBy('uploads.upload_id')
    .limit(1)
    .executeTakeFirst()
}

/** Lets confirmations of equal bytes in a bucket come one after the other. SQLite has one writer. */
export async function lockContent(trx: Trx, bucket_id: string, hash: string): Promise<void> {
  if (dialect(trx) === 'sqlite') return
  await sql`select pg_advisory_xact_lock(hashtextextended(${`${bucket_id} ${hash}`}, 0))`.execute(trx)
}

/** What the names of stored bytes begin with. */
export async function findInternalId(db: DbOrTrx, { organizationId }: Scope): Promise<string> {
  const row = await db
    .selectFrom('organizations')
    .select('internal_id')
    .where('organization_id', '=', organizationId)
    .executeTakeFirstOrThrow()
  return row.internal_id
}

/** Which of these keys of the blob store an upload names. */
export async function namedKeys(db: DbOrTrx, keys: readonly string[]): Promise<Set<string>> {
  const rows = await db.selectFrom('uploads').select('storage_key').where('storage_key', 'in', keys).execute()
  return new Set(rows.map(({ storage_key }) => storage_key!))
}
