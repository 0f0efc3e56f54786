import type { Selectable } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import type { Schema } from '../../platform/db/schema.ts'

export type UploadRow = Selectable<Schema['uploads']>

/** How long an upload whose bytes have arrived can still be confirmed after its URL has expired. */
export const GRACE_MS = 24 * 3600_000

/** Where bytes arrive that no file has yet; what lies there without an upload or a file is garbage. */
export const UPLOAD_KEY_PREFIX = 'uploads/'

/** `uploads/<namespace>/<2 characters>/<file>`, as stored files have it. */
export const uploadKey = (namespace_id: string, file_id: string) =>
  `${UPLOAD_KEY_PREFIX}${namespace_id}/${file_id.slice(-2)}/${file_id}`

/** Whether it may still become COMPLETED. */
export const isOpen = ({ status }: Pick<UploadRow, 'status'>) =>
  status === 'PENDING' || status === 'PROCESSING'

export const isPast = (instant: string, now_ms = Date.now(), grace_ms = 0) =>
  Date.parse(instant) + grace_ms <= now_ms

/** Throws unless bytes may arrive now. */
export function requireReceiving(row: UploadRow): void {
  if (row.status !== 'PENDING') throw new KuraError('upload_not_pending', { status: row.status })
  if (isPast(row.expires_at)) throw new KuraError('upload_expired')
}
