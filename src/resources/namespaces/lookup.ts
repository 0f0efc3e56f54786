import type { FoundNamespace, NamespaceLookup } from '../../http/scope.ts'
import type { Db } from '../../platform/db/db.ts'
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

type Row = { namespace_id: string; namespace_name: string; status: string }

/** Where the namespace of a request is found; nothing outside the organization is ever seen. Every request asks. */
export function namespaceLookup(db: Db): NamespaceLookup {
  const templates = new Templates()
  const ofOrganization = () =>
    db
      .selectFrom('namespaces')
      .select(['namespace_id', 'namespace_name', 'status'])
      .where('organization_id', '=', slot<string>('organizationId'))
  return {
    async find(organizationId, identifier) {
      const rows = await templates.run<Row>(db, 'find', { organizationId, identifier }, () =>
        ofOrganization()
          .where((eb) =>
            eb.or([
              eb('namespace_id', '=', slot<string>('identifier')),
              eb('namespace_name', '=', slot<string>('identifier')),
            ]),
          )
          .compile(),
      )
      return found(rows.find(({ namespace_id }) => namespace_id === identifier) ?? rows[0])
    },

    async ownerOf(organizationId, resource_id) {
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
    },

    async fallback(organizationId) {
      const rows = await templates.run<Row>(db, 'any', { organizationId }, () =>
        ofOrganization().limit(2).compile(),
      )
      if (rows.length === 1) return found(rows[0])
      const [named] = await templates.run<Row>(db, 'default', { organizationId }, () =>
        ofOrganization().where('namespace_name', '=', DEFAULT_NAME).compile(),
      )
      return found(named)
    },
  }
}

const found = (row: Row | undefined): FoundNamespace | undefined =>
  row && { namespace_id: row.namespace_id, is_deleting: row.status === DELETING }
