import { KuraError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { recordAudit } from '../../platform/audit/audit-log.ts'
import { changesOf } from '../../platform/audit/changes.ts'
import { type Db, inTransaction, isUniqueViolation } from '../../platform/db/db.ts'
import { announceCollection } from './announce.ts'
import { refuseAttachments } from './attachments.ts'
import { checkName, nameTaken } from './create.ts'
import { agrees, presentCollection } from './present.ts'
import { type CollectionRecord, findCollection } from './record.ts'
import type { UpdateCollectionBody } from './schemas.ts'
import * as store from './store.ts'

const AUDITED = ['collection_name', 'description', 'enabled', 'schema_sync_enabled', 'metadata'] as const

const IMMUTABLE = ['source', 'feature_extractor', 'input_schema'] as const

/** Changes what may change; immutable members may be sent back as they are, as clients do that PATCH what they GET. */
export async function updateCollection(
  db: Db,
  scope: Scope,
  identifier: string,
  body: UpdateCollectionBody,
): Promise<CollectionRecord> {
  const current = await findCollection(db, scope, identifier)
  const visible = presentCollection(current, { retriever_count: 0 })
  for (const field of IMMUTABLE)
    if (!agrees(body[field], visible[field])) throw new KuraError('immutable_field', { field })
  refuseAttachments(body)
  const { collection_id } = current
  const { collection_name } = body
  const isRenamed = collection_name !== undefined && collection_name !== current.collection_name
  if (isRenamed) await checkName(db, scope, collection_name)
  const metadata = mergeMetadata(current.metadata, body.metadata as JsonObject | null | undefined)
  try {
    await inTransaction(db, async (trx) => {
      await store.updateCollection(trx, scope, collection_id, {
        updated_at: timestamp(),
        ...(isRenamed && { collection_name }),
        ...(body.description !== undefined && { description: body.description }),
        ...(body.enabled !== undefined && { enabled: body.enabled ? 1 : 0 }),
        ...(body.schema_sync_enabled !== undefined && {
          schema_sync_enabled: body.schema_sync_enabled ? 1 : 0,
        }),
        ...(metadata !== undefined && { metadata: metadata && JSON.stringify(metadata) }),
      })
      await announceCollection(trx, scope, 'updated', {
        collection_id,
        collection_name: collection_name ?? current.collection_name,
      })
      const updated = await findCollection(trx, scope, collection_id)
      await recordAudit(trx, scope, {
        action: 'collection_updated',
        resource_type: 'collection',
        resource_id: collection_id,
        changes: changesOf(current, updated, AUDITED),
      })
    })
  } catch (error) {
    if (isRenamed && isUniqueViolation(error)) throw nameTaken(collection_name)
    throw error
  }
  return findCollection(db, scope, collection_id)
}

/** As for buckets: merged at the top level, a null member removes a key, null clears all. Undefined: unchanged. */
function mergeMetadata(
  current: JsonObject | null,
  change: JsonObject | null | undefined,
): JsonObject | null | undefined {
  if (change === undefined || change === null) return change
  const merged = Object.entries({ ...current, ...change }).filter(([, value]) => value !== null)
  return Object.fromEntries(merged)
}
