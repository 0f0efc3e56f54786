import { type Selectable, sql, type Updateable } from 'kysely'
import type { OrganizationScope } from '../../core/scope.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'

export type NamespaceRow = Selectable<Schema['namespaces']>

export type NamespaceCounts = {
  bucket_count: number
  object_count: number
  collection_count: number
  document_count: number
}

const NOTHING: NamespaceCounts = { bucket_count: 0, object_count: 0, collection_count: 0, document_count: 0 }

/** Raises a unique violation when the name is taken. */
export async function insertNamespace(trx: Trx, row: NamespaceRow): Promise<void> {
  await trx.insertInto('namespaces').values(row).execute()
}

/** By id, else by exact name. */
export async function findNamespace(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  identifier: string,
): Promise<NamespaceRow | undefined> {
  const rows = await db
    .selectFrom('namespaces')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where((eb) => eb.or([eb('namespace_id', '=', identifier), eb('namespace_name', '=', identifier)]))
    .execute()
  return rows.find(({ namespace_id }) => namespace_id === identifier) ?? rows[0]
}

/** The row, locked until the transaction ends. */
export async function lockNamespace(
  trx: Trx,
  { organizationId }: OrganizationScope,
  namespace_id: string,
): Promise<NamespaceRow | undefined> {
  const query = trx
    .selectFrom('namespaces')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('namespace_id', '=', namespace_id)
  return (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
}

export async function updateNamespace(
  trx: Trx,
  { organizationId }: OrganizationScope,
  namespace_id: string,
  changes: Updateable<Schema['namespaces']>,
): Promise<void> {
  await trx
    .updateTable('namespaces')
    .set(changes)
    .where('organization_id', '=', organizationId)
    .where('namespace_id', '=', namespace_id)
    .execute()
}

/** Removes the record of a namespace with nothing in it. */
export async function deleteNamespace(
  trx: Trx,
  { organizationId }: OrganizationScope,
  namespace_id: string,
): Promise<void> {
  await trx
    .deleteFrom('namespaces')
    .where('organization_id', '=', organizationId)
    .where('namespace_id', '=', namespace_id)
    .execute()
}

export function listNamespaces(db: DbOrTrx, { organizationId }: OrganizationScope): Promise<NamespaceRow[]> {
  return db.selectFrom('namespaces').selectAll().where('organization_id', '=', organizationId).execute()
}

/** What each namespace of the organization, or one of them, holds. All sums read counters that are kept with every change. */
export async function countContents(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  namespace_id?: string,
): Promise<(namespace_id: string) => NamespaceCounts> {
  const wanted = db
    .selectFrom('namespaces')
    .select('namespace_id')
    .where('organization_id', '=', organizationId)
    .$if(namespace_id !== undefined, (query) => query.where('namespace_id', '=', namespace_id!))
  const buckets = await db
    .selectFrom('bucket_totals')
    .select('namespace_id')
    .select([
      sql<number>`sum(bucket_count)`.as('bucket_count'),
      sql<number>`sum(object_count)`.as('object_count'),
    ])
    .where('namespace_id', 'in', wanted)
    .groupBy('namespace_id')
    .execute()
  const collections = await db
    .selectFrom('collections')
    .select('namespace_id')
    .select([
      sql<number>`count(*)`.as('collection_count'),
      sql<number>`sum(document_count)`.as('document_count'),
    ])
    .where('namespace_id', 'in', wanted)
    .groupBy('namespace_id')
    .execute()
  const counts = new Map<string, NamespaceCounts>()
  for (const { namespace_id: id, ...part } of [...buckets, ...collections])
    counts.set(id, { ...NOTHING, ...counts.get(id), ...part })
  return (id) => counts.get(id) ?? NOTHING
}
