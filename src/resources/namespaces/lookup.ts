import type { FoundNamespace, NamespaceLookup } from '../../http/scope.ts'
import { type Db, oncePerTurn } from '../../platform/db/db.ts'
import { slot, Templates } from '../../platform/db/templates.ts'
import { DEFAULT_NAME } from './default.ts'
import { DELETING } from './delete.ts'

/** Tables whose ids tell the namespace of a request, by id prefix. */
const OWNERS = {
  bkt_: ['buckets', 'bucket_id'],
  obj_: ['objects', 'object_id'],
  btch: ['batches', 'batch_id'],
  col_: ['collections', 'collection_id'],
  ret_: ['retrievers', 'retriever_id'],
} as const

type Row = { namespace_id: string; status: string }

/** Where the namespace of a request is found; nothing outside the organization is ever seen. Every request asks. */
export function namespaceLookup(db: Db): NamespaceLookup {
  const templates = new Templates()
  const ofOrganization = () =>
    db
      .selectFrom('namespaces')
      .select(['namespace_id', 'status'])
      .where('organization_id', '=', slot<string>('organizationId'))
  const named = async (organizationId: string, name: string) => {
    const [row] = await templates.run<Row>(db, 'named', { organizationId, name }, () =>
      ofOrganization().where('namespace_name', '=', slot<string>('name')).compile(),
    )
    return found(row)
  }

  async function find(organizationId: string, identifier: string): Promise<FoundNamespace | undefined> {
    const [row] = await templates.run<Row>(db, 'id', { organizationId, identifier }, () =>
      ofOrganization().where('namespace_id', '=', slot<string>('identifier')).compile(),
    )
    return found(row) ?? named(organizationId, identifier)
  }

  async function fallback(organizationId: string): Promise<FoundNamespace | undefined> {
    const rows = await templates.run<Row>(db, 'any', { organizationId }, () =>
      ofOrganization().limit(2).compile(),
    )
    return rows.length === 1 ? found(rows[0]) : named(organizationId, DEFAULT_NAME)
  }

  async function ownerOf(organizationId: string, resource_id: string): Promise<FoundNamespace | undefined> {
    const owner = OWNERS[resource_id.slice(0, 4) as keyof typeof OWNERS]
    if (!owner) return undefined
    const [table, column] = owner
    const [row] = await templates.run<Row>(db, table, { organizationId, resource_id }, () =>
      ofOrganization()
        .where('namespace_id', 'in', (eb) =>
          eb
            .selectFrom(table as 'buckets')
            .select('namespace_id')
            .where(column as 'bucket_id', '=', slot<string>('resource_id')),
        )
        .compile(),
    )
    return found(row)
  }

  return {
    find: (organizationId, identifier) =>
      oncePerTurn(db, `namespace ${organizationId} ${identifier}`, () => find(organizationId, identifier)),
    fallback: (organizationId) =>
      oncePerTurn(db, `namespaces ${organizationId}`, () => fallback(organizationId)),
    ownerOf,
  }
}

const found = (row: Row | undefined): FoundNamespace | undefined =>
  row && {
    namespace_id: row.namespace_id,
    is_deleting: row.status === DELETING,
    is_cloning: row.status !== DELETING && row.status !== 'ACTIVE',
  }
