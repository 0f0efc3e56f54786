import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'

export type CollectionRow = Selectable<Schema['collections']>

type NamespaceScope = Pick<Scope, 'namespaceId'>

/** Rows whose id or name is among the identifiers. */
export function findByIdentifier(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  identifiers: readonly string[],
): Promise<CollectionRow[]> {
  return db
    .selectFrom('collections')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where((eb) => eb.or([eb('collection_id', 'in', identifiers), eb('collection_name', 'in', identifiers)]))
    .execute()
}

export async function findByIds(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  collection_ids: readonly string[],
): Promise<CollectionRow[]> {
  if (collection_ids.length === 0) return []
  return db
    .selectFrom('collections')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('collection_id', 'in', collection_ids)
    .execute()
}

/** Enabled collections with one of these sources, oldest first. */
export function findReaders(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  source_type: 'bucket' | 'collection',
  source_ids: readonly string[],
): Promise<CollectionRow[]> {
  return db
    .selectFrom('collections')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('enabled', '=', 1)
    .where('collection_id', 'in', (eb) =>
      eb
        .selectFrom('collection_sources')
        .select('collection_id')
        .where('namespace_id', '=', namespaceId)
        .where('source_type', '=', source_type)
        .where('source_id', 'in', source_ids),
    )
    .orderBy('created_at')
    .orderBy('collection_id')
    .execute()
}

export async function isNameTaken(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
  collection_name: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('collections')
    .select('collection_id')
    .where('namespace_id', '=', namespaceId)
    .where('collection_name', '=', collection_name)
    .executeTakeFirst()
  return row !== undefined
}

/** Inserts the collection and one row a source. */
export async function insertCollection(
  trx: Trx,
  { namespaceId }: NamespaceScope,
  row: Omit<Insertable<Schema['collections']>, 'namespace_id'>,
  sources: { source_type: 'bucket' | 'collection'; source_ids: readonly string[] },
): Promise<void> {
  const { collection_id } = row
  await trx
    .insertInto('collections')
    .values({ ...row, namespace_id: namespaceId })
    .execute()
  await trx
    .insertInto('collection_sources')
    .values(
      sources.source_ids.map((source_id) => ({
        namespace_id: namespaceId,
        collection_id,
        source_type: sources.source_type,
        source_id,
      })),
    )
    .execute()
}

export async function updateCollection(
  trx: Trx,
  { namespaceId }: NamespaceScope,
  collection_id: string,
  change: Updateable<Schema['collections']>,
): Promise<void> {
  await trx
    .updateTable('collections')
    .set(change)
    .where('namespace_id', '=', namespaceId)
    .where('collection_id', '=', collection_id)
    .execute()
}

/** Removes the collection itself; from now on nobody finds it. Returns false when it was gone already. */
export async function deleteCollection(
  trx: Trx,
  { namespaceId }: NamespaceScope,
  collection_id: string,
): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('collections')
    .where('namespace_id', '=', namespaceId)
    .where('collection_id', '=', collection_id)
    .executeTakeFirst()
  await trx
    .deleteFrom('collection_sources')
    .where('namespace_id', '=', namespaceId)
    .where('collection_id', '=', collection_id)
    .execute()
  return numDeletedRows > 0n
}

/** The collection lists of the retrievers of a namespace: ids or names as their authors wrote them. */
export async function listRetrieverSources(
  db: DbOrTrx,
  { namespaceId }: NamespaceScope,
): Promise<string[][]> {
  const rows = await db
    .selectFrom('retrievers')
    .select('collection_identifiers')
    .where('namespace_id', '=', namespaceId)
    .execute()
  return rows.map((row) => JSON.parse(row.collection_identifiers))
}

/** Every collection of the namespace. */
export function listCollections(db: DbOrTrx, { namespaceId }: NamespaceScope): Promise<CollectionRow[]> {
  return db.selectFrom('collections').selectAll().where('namespace_id', '=', namespaceId).execute()
}
