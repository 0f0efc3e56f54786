import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Scope } from '../../core/scope.ts'
import { type Db, inTransaction } from '../db/db.ts'

const KEY_SETTING = 'file_signing_key'

/** What a signed URL allows: one method on one file of one tenant until an instant. */
export type SignedAccess = {
  method: 'GET' | 'PUT'
  scope: Scope
  file_id: string
  /** Seconds since 1970. */
  expires: number
}

/**
 * The key of file URLs, made when a database is first opened and kept in it, so that every API
 * process accepts the URLs of every other and a restart breaks none.
 */
export async function loadSigningKey(db: Db): Promise<Buffer> {
  const known = await findKey(db)
  if (known) return known
  return inTransaction(db, async (trx) => {
    await trx
      .insertInto('settings')
      .values({ key: KEY_SETTING, value: randomBytes(32).toString('base64url') })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .execute()
    return (await findKey(trx))!
  })
}

async function findKey(db: Db): Promise<Buffer | undefined> {
  const row = await db
    .selectFrom('settings')
    .select('value')
    .where('key', '=', KEY_SETTING)
    .executeTakeFirst()
  return row && Buffer.from(row.value, 'base64url')
}

export function sign(key: Buffer, { method, scope, file_id, expires }: SignedAccess): string {
  const { organizationId, namespaceId } = scope
  // A JSON array separates the parts without ambiguity, whatever they contain.
  const message = JSON.stringify([method, organizationId, namespaceId, file_id, expires])
  return createHmac('sha256', key).update(message).digest('base64url')
}

/** Whether a signature is ours and not expired; compared in constant time. */
export function isSigned(key: Buffer, access: SignedAccess, signature: string, now_ms = Date.now()): boolean {
  if (!Number.isSafeInteger(access.expires) || access.expires * 1000 <= now_ms) return false
  const expected = Buffer.from(sign(key, access))
  const given = Buffer.from(signature)
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected)
}
