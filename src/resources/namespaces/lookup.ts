import type { Db } from '../../platform/db/db.ts'

/** Tables whose ids tell the namespace of a request, by id prefix. */
const OWNERS = {
  bkt_: ['buckets', 'bucket_id'],
  obj_: ['objects', 'object_id'],
  btch: ['batches', 'batch_id'],
  col_: ['collections', 'collection_id'],
  ret_: ['retrievers', 'retriever_id'],
} as const

/** Where the namespace of a request is found; nothing outside the organization is ever seen. */
export function namespaceLookup(db: Db) {
  const ofOrganization = (organizationId: string) =>
    db.selectFrom('namespaces').select('namespace_id').where('organization_id', '=', organizationId)
  return {
    async find(organizationId: string, identifier: string): Promise<string | undefined> {
      const query = ofOrganization(organizationId)
      const byId = await query.where('namespace_id', '=', identifier).executeTakeFirst()
      const row = byId ?? (await query.where('namespace_name', '=', identifier).executeTakeFirst())
      return row?.namespace_id
    },

    async ownerOf(organizationId: string, resource_id: string): Promise<string | undefined> {
      const owner = OWNERS[resource_id.slice(0, 4) as keyof typeof OWNERS]
      if (!owner) return undefined
      const [table, column] = owner
      const row = await ofOrganization(organizationId)
        .where('namespace_id', 'in', (eb) =>
          eb
            .selectFrom(table as 'buckets')
            .select('namespace_id')
            .where(column as 'bucket_id', '=', resource_id),
        )
        .executeTakeFirst()
      return row?.namespace_id
    },

    async fallback(organizationId: string): Promise<string | undefined> {
      const rows = await ofOrganization(organizationId).limit(2).execute()
      if (rows.length === 1) return rows[0]!.namespace_id
      const named = await ofOrganization(organizationId)
        .where('namespace_name', '=', 'default')
        .executeTakeFirst()
      return named?.namespace_id
    },
  }
}
