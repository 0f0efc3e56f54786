import type { Insertable, Selectable, Updateable } from 'kysely'
import { KuraError } from '../../../core/errors.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { timestamp } from '../../../core/time.ts'
import type { DbOrTrx, Trx } from '../../../platform/db/db.ts'
import type { Schema } from '../../../platform/db/schema.ts'

export type KeyRow = Selectable<Schema['api_keys']>

/** Raises a unique violation when the user has an active key of this name. */
export async function insertKey(trx: Trx, row: Insertable<Schema['api_keys']>): Promise<void> {
  await trx.insertInto('api_keys').values(row).execute()
}

export async function updateKey(
  trx: Trx,
  key_id: string,
  change: Updateable<Schema['api_keys']>,
): Promise<void> {
  await trx.updateTable('api_keys').set(change).where('key_id', '=', key_id).execute()
}

/** Keys of a user, newest first. */
export function listKeys(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  user_id: string,
): Promise<KeyRow[]> {
  return db
    .selectFrom('api_keys')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', user_id)
    .orderBy('created_at', 'desc')
    .orderBy('key_id')
    .execute()
}

/**
 * The key of a user with this id, else with this name: the active one, else the newest. Throws
 * `api_key_not_found`.
 */
export async function getKey(
  db: DbOrTrx,
  scope: OrganizationScope,
  user_id: string,
  identifier: string,
): Promise<KeyRow> {
  const keys = await listKeys(db, scope, user_id)
  const named = keys.filter(({ name }) => name === identifier)
  const key =
    keys.find(({ key_id }) => key_id === identifier) ??
    named.find(({ status, replaced_by }) => status === 'active' && replaced_by === null) ??
    named[0]
  if (!key) throw new KuraError('api_key_not_found', { resource: 'api_key', id: identifier })
  return key
}

/** Makes room for the names of keys that have expired: they no longer count as active. */
export async function markExpired(db: DbOrTrx, user_id?: string): Promise<void> {
  let keys = db
    .updateTable('api_keys')
    .set({ status: 'expired' })
    .where('status', '=', 'active')
    .where('expires_at', '<=', timestamp())
  if (user_id !== undefined) keys = keys.where('user_id', '=', user_id)
  await keys.execute()
}

export async function revokeKeysOf(
  trx: Trx,
  { organizationId, actor }: OrganizationScope,
  user_id: string,
): Promise<void> {
  const now = timestamp()
  await trx
    .updateTable('api_keys')
    .set({ status: 'revoked', revoked_at: now, revoked_by: actor?.userId ?? null, updated_at: now })
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', user_id)
    .where('status', '=', 'active')
    .execute()
}
