import { sql } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import { DOCUMENT_COLUMNS, type DocumentRecord, toDocument } from '../../engine/documents/record.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'

type NamespaceScope = Pick<Scope, 'namespaceId'>

export function findObject(db: DbOrTrx, { namespaceId }: NamespaceScope, object_id: string) {
  return db
    .selectFrom('objects')
    .select(['object_id', 'bucket_id', 'key_prefix'])
    .where('namespace_id', '=', namespaceId)
    .where('object_id', '=', object_id)
    .executeTakeFirst()
}

export async function findBucketName(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  bucket_id: string,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('buckets')
    .select('bucket_name')
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .executeTakeFirst()
  return row?.bucket_name
}

/** Documents made directly from this one. */
export async function countChildren(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  document_id: string,
): Promise<number> {
  const { count } = await db
    .selectFrom('documents')
    .select(sql<number>`count(*)`.as('count'))
    .where('namespace_id', '=', namespaceId)
    .where('source_document_id', '=', document_id)
    .executeTakeFirstOrThrow()
  return Number(count)
}

export type DocumentCount = { collection_id: string; root_bucket_id: string | null; count: number }

/** How many documents of each collection come from an object. */
export async function countByCollection(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  object_id: string,
): Promise<DocumentCount[]> {
  return db
    .selectFrom('documents')
    .select([
      'collection_id',
      sql<string | null>`min(root_bucket_id)`.as('root_bucket_id'),
      sql<number>`count(*)`.as('count'),
    ])
    .where('namespace_id', '=', namespaceId)
    .where('root_object_id', '=', object_id)
    .groupBy('collection_id')
    .orderBy('collection_id')
    .execute()
}

type Derived = {
  object_id: string
  collection_ids: readonly string[]
  limit: number
  offset: number
  after: { created_at: string; document_id: string } | null
}

/** Documents that come from an object, in list order. */
export async function listDerived(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  { object_id, collection_ids, limit, offset, after }: Derived,
): Promise<DocumentRecord[]> {
  if (collection_ids.length === 0) return []
  let query = db
    .selectFrom('documents')
    .select(DOCUMENT_COLUMNS)
    .where('namespace_id', '=', namespaceId)
    .where('root_object_id', '=', object_id)
    .where('collection_id', 'in', collection_ids)
    .orderBy('created_at')
    .orderBy('document_id')
    .limit(limit)
  if (after)
    query = query.where((eb) =>
      eb.or([
        eb('created_at', '>', after.created_at),
        eb.and([eb('created_at', '=', after.created_at), eb('document_id', '>', after.document_id)]),
      ]),
    )
  else query = query.offset(offset)
  return (await query.execute()).map(toDocument)
}

/** Ids of the documents that come from an object, by collection. */
export async function listDerivedIds(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  object_id: string,
): Promise<Map<string, string[]>> {
  const rows = await db
    .selectFrom('documents')
    .select(['collection_id', 'document_id'])
    .where('namespace_id', '=', namespaceId)
    .where('root_object_id', '=', object_id)
    .orderBy('created_at')
    .orderBy('document_id')
    .execute()
  const ids = new Map<string, string[]>()
  for (const { collection_id, document_id } of rows)
    ids.set(collection_id, [...(ids.get(collection_id) ?? []), document_id])
  return ids
}
