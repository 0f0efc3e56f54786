import type { Selectable, Updateable } from 'kysely'
import { KuraError } from '../../../core/errors.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { type DbOrTrx, dialect, type Trx } from '../../../platform/db/db.ts'
import type { Schema } from '../../../platform/db/schema.ts'

export type UserRow = Selectable<Schema['users']>

/** Raises a unique violation when the email is taken. */
export async function insertUser(trx: Trx, row: UserRow): Promise<void> {
  await trx.insertInto('users').values(row).execute()
}

/** By id or email, whatever its case. Throws `user_not_found`. */
export async function getUser(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  identifier: string,
): Promise<UserRow> {
  const rows = await db
    .selectFrom('users')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where((eb) => eb.or([eb('user_id', '=', identifier), eb('email', '=', identifier.toLowerCase())]))
    .execute()
  if (!rows[0]) throw new KuraError('user_not_found', { resource: 'user', id: identifier })
  return rows[0]
}

/** Holds off other changes of users of the organization until the transaction ends. SQLite has one writer anyway. */
export async function lockUsers(trx: Trx, { organizationId }: OrganizationScope): Promise<void> {
  if (dialect(trx) === 'sqlite') return
  await trx
    .selectFrom('organizations')
    .select('organization_id')
    .where('organization_id', '=', organizationId)
    .forUpdate()
    .execute()
}

export async function updateUser(
  trx: Trx,
  user_id: string,
  change: Updateable<Schema['users']>,
): Promise<void> {
  await trx.updateTable('users').set(change).where('user_id', '=', user_id).execute()
}

export async function countActiveAdmins(trx: Trx, { organizationId }: OrganizationScope): Promise<number> {
  const { count } = await trx
    .selectFrom('users')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('organization_id', '=', organizationId)
    .where('role', '=', 'admin')
    .where('status', '=', 'active')
    .executeTakeFirstOrThrow()
  return Number(count)
}

type Listing = {
  role?: string | null | undefined
  status?: string | null | undefined
  skip: number
  limit: number
}

/** Newest first. */
export async function listUsers(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  { role, status, skip, limit }: Listing,
): Promise<{ rows: UserRow[]; total: number }> {
  let users = db.selectFrom('users').where('organization_id', '=', organizationId)
  if (role) users = users.where('role', '=', role)
  if (status) users = users.where('status', '=', status)
  const { total } = await users.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  const rows = await users
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('user_id')
    .offset(skip)
    .limit(limit)
    .execute()
  return { rows, total: Number(total) }
}
