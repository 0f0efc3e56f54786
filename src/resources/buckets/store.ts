import type { Insertable, Selectable, Updateable } from 'kysely'
import { foldCase } from '../../core/filters/fold.ts'
import type { Scope } from '../../core/scope.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import { bucketJson } from './row-json.ts'
import { searchText } from './search-text.ts'
import { changeTotals } from './totals.ts'

export type BucketRow = Selectable<Schema['buckets']>

type NamespaceScope = Pick<Scope, 'namespaceId'>

export type NewBucket = Pick<
  BucketRow,
  | 'bucket_id'
  | 'bucket_name'
  | 'description'
  | 'bucket_schema'
  | 'unique_key'
  | 'metadata'
  | 'storage_class'
  | 'source_adapter'
  | 'created_at'
> & { is_locked: boolean }

/** Raises a unique violation when the name is taken. */
export async function insertBucket(
  trx: Trx,
  { namespaceId }: NamespaceScope,
  bucket: NewBucket,
): Promise<void> {
  const { created_at, is_locked } = bucket
  await insertRow(trx, {
    ...bucket,
    ...EMPTY,
    namespace_id: namespaceId,
    bucket_name_folded: foldCase(bucket.bucket_name),
    status: 'ACTIVE',
    updated_at: created_at,
    last_upload_at: null,
    stats_updated_at: created_at,
    is_locked: Number(is_locked),
  })
}

/** Counters and marks of a bucket with nothing in it. */
const EMPTY = {
  object_count: 0,
  total_size_bytes: 0,
  max_size_bytes: 0,
  min_size_bytes: 0,
  batch_total: 0,
  batch_active: 0,
  batch_completed: 0,
  batch_failed: 0,
  delete_task_id: null,
}

/** Inserts what a bucket of another namespace says of itself under a new id, without what is in it. */
export async function copyBucket(
  trx: Trx,
  { namespaceId }: NamespaceScope,
  { bucket_seq: _seq, ...row }: BucketRow,
  bucket_id: string,
): Promise<void> {
  await insertRow(trx, { ...row, ...EMPTY, namespace_id: namespaceId, bucket_id })
}

async function insertRow(trx: Trx, row: Insertable<Schema['buckets']>): Promise<void> {
  const { namespace_id, bucket_id } = row
  const inserted = await trx.insertInto('buckets').values(row).returningAll().executeTakeFirstOrThrow()
  await insertSearch(trx, namespace_id, inserted)
  await changeTotals(trx, namespace_id, bucket_id, { buckets: 1 })
}

/** Says when the contents of a copied bucket came: copying them counted as an upload. */
export async function setLastUpload(
  trx: Trx,
  { namespaceId }: NamespaceScope,
  bucket_id: string,
  last_upload_at: string | null,
): Promise<void> {
  await trx
    .updateTable('buckets')
    .set({ last_upload_at })
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .execute()
  await changeTotals(trx, namespaceId, bucket_id)
}

type SearchedRow = Pick<BucketRow, 'bucket_seq' | 'bucket_id' | 'bucket_name' | 'description' | 'metadata'>

async function insertSearch(trx: Trx, namespace_id: string, row: SearchedRow): Promise<void> {
  const { bucket_seq } = row
  const folded = searchText({ ...row, metadata: JSON.parse(row.metadata) })
  await trx.insertInto('bucket_search').values({ namespace_id, bucket_seq, folded }).execute()
  if (dialect(trx) === 'sqlite')
    await trx.insertInto('bucket_search_trigrams').values({ rowid: bucket_seq, folded }).execute()
}

async function deleteSearch(trx: Trx, namespace_id: string, bucket_seq: number): Promise<void> {
  await trx
    .deleteFrom('bucket_search')
    .where('namespace_id', '=', namespace_id)
    .where('bucket_seq', '=', bucket_seq)
    .execute()
  if (dialect(trx) === 'sqlite')
    await trx.deleteFrom('bucket_search_trigrams').where('rowid', '=', bucket_seq).execute()
}

/** The whole row, locked until the transaction ends. */
export async function lockBucket(
  trx: Trx,
  { namespaceId }: NamespaceScope,
  bucket_id: string,
): Promise<BucketRow | undefined> {
  const query = trx
    .selectFrom('buckets')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
  return (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
}

export type BucketChanges = Omit<
  Updateable<Schema['buckets']>,
  'bucket_seq' | 'namespace_id' | 'bucket_id' | 'bucket_name_folded'
>

/** Changes a locked bucket. Raises a unique violation when the new name is taken. */
export async function updateBucket(
  trx: Trx,
  { namespaceId }: NamespaceScope,
  row: BucketRow,
  changes: BucketChanges,
): Promise<void> {
  const { bucket_name } = changes
  await trx
    .updateTable('buckets')
    .set({ ...changes, ...(bucket_name !== undefined && { bucket_name_folded: foldCase(bucket_name) }) })
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', row.bucket_id)
    .execute()
  if (bucket_name !== undefined || changes.description !== undefined || changes.metadata !== undefined) {
    await deleteSearch(trx, namespaceId, row.bucket_seq)
    await insertSearch(trx, namespaceId, { ...row, ...(changes as Partial<SearchedRow>) })
  }
  await changeTotals(trx, namespaceId, row.bucket_id)
}

/** Removes the record of a bucket without objects. */
export async function deleteBucket(trx: Trx, { namespaceId }: NamespaceScope, row: BucketRow): Promise<void> {
  await trx
    .deleteFrom('buckets')
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', row.bucket_id)
    .execute()
  await deleteSearch(trx, namespaceId, row.bucket_seq)
  await changeTotals(trx, namespaceId, row.bucket_id, {
    buckets: -1,
    objects: -row.object_count,
    size_bytes: -row.total_size_bytes,
  })
}

/** Which bucket an identifier means (the id wins, then the name), and the bucket as JSON text. */
export async function readBucketJson(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  identifier: string,
): Promise<string | undefined> {
  const rows = await db
    .selectFrom('buckets')
    .select('bucket_id')
    .select(bucketJson(dialect(db)).as('json'))
    .where('namespace_id', '=', namespaceId)
    .where((eb) => eb.or([eb('bucket_id', '=', identifier), eb('bucket_name', '=', identifier)]))
    .execute()
  return (rows.find(({ bucket_id }) => bucket_id === identifier) ?? rows[0])?.json
}
