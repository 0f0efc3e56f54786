import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { apiKey, newId, sha256 } from '../../core/ids.ts'
import { timestamp } from '../../core/time.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'

export type Bootstrap = { organizationId: string; root_key: string; key_is_new: boolean }

const KEY_FILE = 'root-key'
const ROOT_KEY_NAME = 'admin-key'

/**
 * Makes sure that an organization and its first key exist. A configured key always works after
 * this; without one, a key is made once and kept in a file that only the owner can read.
 */
export async function bootstrap(
  db: Db,
  { home, root_key }: { home: string; root_key?: string | undefined },
): Promise<Bootstrap> {
  const kept = root_key ?? (await readKeyFile(home))
  const key = kept ?? apiKey()
  // The file comes first: a key that the database knows but nobody has would lock everyone out.
  if (!kept) await writeKeyFile(home, key)
  const organizationId = await inTransaction(db, async (trx) => {
    const organization = await ensureOrganization(trx)
    await ensureRootKey(trx, organization, key)
    return organization
  })
  return { organizationId, root_key: key, key_is_new: !kept }
}

async function ensureOrganization(trx: Trx): Promise<string> {
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

async function ensureRootKey(trx: Trx, organization_id: string, key: string): Promise<void> {
  const now = timestamp()
  const key_hash = sha256(key)
  const known = await trx
    .selectFrom('api_keys')
    .select('key_id')
    .where('key_hash', '=', key_hash)
    .executeTakeFirst()
  if (known) return
  // Another root key was configured: the one before it stops working.
  await trx
    .deleteFrom('api_keys')
    .where('organization_id', '=', organization_id)
    .where('name', '=', ROOT_KEY_NAME)
    .execute()
  await trx
    .insertInto('api_keys')
    .values({
      key_id: newId.key(),
      organization_id,
      key_hash,
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

async function readKeyFile(home: string): Promise<string | undefined> {
  try {
    return (await readFile(join(home, KEY_FILE), 'utf8')).trim() || undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeKeyFile(home: string, key: string): Promise<void> {
  await mkdir(home, { recursive: true })
  const path = join(home, KEY_FILE)
  await writeFile(path, `${key}\n`, { mode: 0o600 })
  await chmod(path, 0o600)
}
