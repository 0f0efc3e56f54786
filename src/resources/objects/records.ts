import type { ObjectRecord as SourceObject } from '../../core/collections/record.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import * as store from './store.ts'

/** An object as the engine reads it. */
export type ObjectRecord = SourceObject & { unique_key_hash: string | null; status: string }

/** Objects of a namespace in the order of the ids; those that exist no more are left out. */
export async function readObjects(
  db: DbOrTrx,
  scope: Pick<Scope, 'namespaceId'>,
  object_ids: readonly string[],
): Promise<ObjectRecord[]> {
  const objects = await store.findObjects(db, scope, object_ids)
  return objects.map(
    ({ object_id, bucket_id, key_prefix, created_at, fields, blobs, unique_key_hash, status }) => ({
      kind: 'object',
      object_id,
      bucket_id,
      key_prefix,
      created_at,
      fields,
      blobs,
      unique_key_hash,
      status,
    }),
  )
}

/** Moves objects to a processing status; `error` tells why they failed and is cleared otherwise. */
export async function setObjectStatus(
  trx: Trx,
  scope: Pick<Scope, 'namespaceId'>,
  object_ids: readonly string[],
  status: string,
  error: string | null = null,
): Promise<void> {
  await store.updateStatus(trx, scope, object_ids, { status, error, updated_at: timestamp() })
}
