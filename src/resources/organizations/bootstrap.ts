import { join } from 'node:path'
import { sql } from 'kysely'
import { apiKey, newId, sha256 } from '../../core/ids.ts'
import { timestamp } from '../../core/time.ts'
import { type Db, type DbOrTrx, dialect, inTransaction, type Trx } from '../../platform/db/db.ts'
import { keepKeyFile, readKeyFile } from '../../platform/secrets/key-file.ts'

export type Bootstrap = {
  organizationId: string
  /** Null when it was configured at an earlier start: the database knows its hash only. */
  root_key: string | null
  key_is_new: boolean
}

const KEY_FILE = 'root-key'
export const ROOT_KEY_NAME = 'admin-key'
/** Owner of the root key. It has no mailbox: nothing is ever sent to it. */
export const ROOT_EMAIL = 'admin@localhost'
/** Any constant that all servers of one database share. */
const POSTGRES_LOCK = 8_415_073

/**
 * Makes sure that an organization and its first key exist. A configured key always works after
 * this and replaces the one before it; without one, a key is made once and kept in a file that only
 * the owner can read. A key that works is never replaced by one that nobody has asked for: commands
 * and further servers are often started without the setting.
 */
export async function bootstrap(
  db: Db,
  { home, root_key }: { home: string; root_key?: string | undefined },
): Promise<Bootstrap> {
  const organizationId = await inTransaction(db, ensureOrganization)
  const userId = await inTransaction(db, (trx) => ensureRootUser(trx, organizationId))
  if (root_key) {
    await inTransaction(db, (trx) => replaceRootKey(trx, organizationId, userId, root_key))
    return { organizationId, root_key, key_is_new: false }
  }
  const kept = await readKeyFile(join(home, KEY_FILE))
  if (await findRootKey(db, organizationId)) return known(db, organizationId, kept)
  // The file comes first: a key that the database knows but nobody has would lock everyone out.
  const key = kept ?? (await keepKeyFile(join(home, KEY_FILE), apiKey()))
  const isFirst = await inTransaction(db, async (trx) => {
    await lock(trx)
    if (await findRootKey(trx, organizationId)) return false
    await insertRootKey(trx, organizationId, userId, key)
    return true
  })
  if (!isFirst) return known(db, organizationId, key)
  return { organizationId, root_key: key, key_is_new: !kept }
}

async function known(db: Db, organizationId: string, key: string | undefined): Promise<Bootstrap> {
  const isRight = key !== undefined && (await findRootKey(db, organizationId)) === sha256(key)
  return { organizationId, root_key: isRight ? key : null, key_is_new: false }
}

async function ensureOrganization(trx: Trx): Promise<string> {
  await lock(trx)
  const known = await trx
    .selectFrom('organizations')
    .select('organization_id')
    .orderBy('created_at')
    .executeTakeFirst()
  if (known) return known.organization_id
  const now = timestamp()
  const organization_id = newId.organization()
  await trx
    .insertInto('organizations')
    .values({
      organization_id,
      internal_id: newId.internal(),
      organization_name: 'default',
      metadata: '{}',
      created_at: now,
      updated_at: now,
    })
    .execute()
  return organization_id
}

/** The administrator to whom the root key belongs; also to one that an earlier version made without users. */
async function ensureRootUser(trx: Trx, organization_id: string): Promise<string> {
  await lock(trx)
  const known = await trx
    .selectFrom('users')
    .select('user_id')
    .where('organization_id', '=', organization_id)
    .where('email', '=', ROOT_EMAIL)
    .executeTakeFirst()
  if (known) return known.user_id
  const now = timestamp()
  const user_id = newId.user()
  await trx
    .insertInto('users')
    .values({
      user_id,
      organization_id,
      email: ROOT_EMAIL,
      user_name: 'Administrator',
      avatar_url: null,
      role: 'admin',
      status: 'active',
      metadata: '{}',
      created_at: now,
      updated_at: now,
    })
    .execute()
  await trx
    .updateTable('api_keys')
    .set({ user_id })
    .where('organization_id', '=', organization_id)
    .where('user_id', 'is', null)
    .execute()
  return user_id
}

/** Servers that start at once must not each make what there is one of. SQLite has one writer anyway. */
async function lock(trx: Trx): Promise<void> {
  if (dialect(trx) === 'postgres') await sql`select pg_advisory_xact_lock(${POSTGRES_LOCK})`.execute(trx)
}

/** The hash of the root key. */
async function findRootKey(db: DbOrTrx, organization_id: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('api_keys')
    .select('key_hash')
    .where('organization_id', '=', organization_id)
    .where('name', '=', ROOT_KEY_NAME)
    .executeTakeFirst()
  return row?.key_hash
}

async function replaceRootKey(
  trx: Trx,
  organization_id: string,
  user_id: string,
  key: string,
): Promise<void> {
  await lock(trx)
  const known = await trx
    .selectFrom('api_keys')
    .select('key_id')
    .where('key_hash', '=', sha256(key))
    .executeTakeFirst()
  if (known) return
  await trx
    .deleteFrom('api_keys')
    .where('organization_id', '=', organization_id)
    .where('name', '=', ROOT_KEY_NAME)
    .execute()
  await insertRootKey(trx, organization_id, user_id, key)
}

async function insertRootKey(trx: Trx, organization_id: string, user_id: string, key: string): Promise<void> {
  const now = timestamp()
  await trx
    .insertInto('api_keys')
    .values({
      key_id: newId.key(),
      organization_id,
      user_id,
      key_hash: sha256(key),
      key_prefix: `${key.slice(0, 10)}...`,
      name: ROOT_KEY_NAME,
      permissions: JSON.stringify(['admin']),
      scopes: '[]',
      status: 'active',
      expires_at: null,
      created_at: now,
      updated_at: now,
    })
    .execute()
}
