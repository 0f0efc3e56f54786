import { join } from 'node:path'
import { KuraError } from '../../core/errors.ts'
import { randomText } from '../../core/ids.ts'
import { type Db, inTransaction } from '../db/db.ts'
import { keepKeyFile, readKeyFile } from './key-file.ts'
import { SecretBox } from './secret-box.ts'

const KEY_FILE = 'master-key'
const CHECK = 'master_key_check'

/**
 * The box of this server. The key comes from the configuration, else from a file in the home that
 * only its owner can read, made at the first start. A database that was sealed with another key is
 * refused (`config_invalid`): its secrets would be lost one by one without anybody noticing.
 */
export async function openSecretBox(
  db: Db,
  { home, master_key }: { home: string; master_key?: string | undefined },
): Promise<SecretBox> {
  const path = join(home, KEY_FILE)
  const kept = master_key ?? (await readKeyFile(path))
  const known = await readCheck(db)
  if (kept === undefined && known !== undefined) throw wrongKey('is missing')
  const box = new SecretBox(kept ?? (await keepKeyFile(path, randomText(48))))
  const check = known ?? (await writeCheck(db, box.seal(CHECK, CHECK)))
  try {
    box.open(check, CHECK)
  } catch (cause) {
    throw wrongKey('is not the one that the database was made with', cause)
  }
  return box
}

const wrongKey = (what: string, cause?: unknown) =>
  new KuraError(
    'config_invalid',
    {
      reason: `The master key ${what}: set KURA_MASTER_KEY, or put the file "${KEY_FILE}" back into the home.`,
    },
    { cause },
  )

async function readCheck(db: Db): Promise<string | undefined> {
  const row = await db.selectFrom('settings').select('value').where('key', '=', CHECK).executeTakeFirst()
  return row?.value
}

/** Of servers that start at once the first one's check counts. */
async function writeCheck(db: Db, value: string): Promise<string> {
  return inTransaction(db, async (trx) => {
    await trx
      .insertInto('settings')
      .values({ key: CHECK, value })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute()
    const row = await trx.selectFrom('settings').select('value').where('key', '=', CHECK).executeTakeFirst()
    return row!.value
  })
}
