import type { Caller, Permission } from '../../core/permissions.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'

/** The active, unexpired key with this hash. */
export async function findCaller(db: DbOrTrx, key_hash: string, now: string): Promise<Caller | undefined> {
  const row = await db
    .selectFrom('api_keys')
    .select(['key_id', 'organization_id', 'permissions', 'expires_at'])
    .where('key_hash', '=', key_hash)
    .where('status', '=', 'active')
    .executeTakeFirst()
  if (!row || (row.expires_at !== null && row.expires_at <= now)) return undefined
  const permissions = JSON.parse(row.permissions) as Permission[]
  return {
    organizationId: row.organization_id,
    keyId: row.key_id,
    userId: null,
    permission: highest(permissions),
  }
}

function highest(permissions: Permission[]): Permission {
  return (['admin', 'delete', 'write'] as const).find((one) => permissions.includes(one)) ?? 'read'
}
