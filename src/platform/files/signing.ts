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

/** What the signed URL of an upload allows: to put bytes of one type, until an instant. */
export type SignedUpload = {
  scope: Scope
  upload_id: string
  content_type: string
  /** Seconds since 1970. */
  expires: number
}

export function sign(key: Buffer, access: SignedAccess | SignedUpload): string {
  const { organizationId, namespaceId } = access.scope
  const what =
    'file_id' in access
      ? [access.method, organizationId, namespaceId, access.file_id, access.expires]
      : ['PUT', organizationId, namespaceId, access.upload_id, access.expires, access.content_type]
  // A JSON array separates the parts without ambiguity, whatever they contain.
  return createHmac('sha256', key).update(JSON.stringify(what)).digest('base64url')
}

/** Whether a signature is ours and not expired; compared in constant time. */
export function isSigned(
  key: Buffer,
  access: SignedAccess | SignedUpload,
  signature: string,
  now_ms = Date.now(),
): boolean {
  if (!Number.isSafeInteger(access.expires) || access.expires * 1000 <= now_ms) return false
  const expected = Buffer.from(sign(key, access))
  const given = Buffer.from(signature)
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected)
}
