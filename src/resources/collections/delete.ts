import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import { purgeDocuments } from '../../engine/documents/purge.ts'
import { recordAudit } from '../../platform/audit/audit-log.ts'
import { type Db, inTransaction } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { insertTask, updateTask } from '../tasks/index.ts'
import { announceCollection } from './announce.ts'
import { findCollection } from './record.ts'
import type { DeleteCollectionResponse } from './schemas.ts'
import * as store from './store.ts'

/** How long a request removes documents itself; the rest is left to a job. */
const INLINE_MS = 10_000
/** The job starts when the request must have ended; after a whole inline removal it finds nothing to do. */
const JOB_DELAY_MS = 15_000

export type DeleteCollectionPayload = { collection_id: string; collection_seq: number; task_id: string }

type Context = { db: Db; files: Files; queue: JobQueue }

/**
 * Removes a collection. The record goes first, so that it is unknown at once, its name is free and
 * running batches skip it; its documents, vectors, texts and files follow.
 */
export async function deleteCollection(
  { db, files, queue }: Context,
  scope: Scope,
  identifier: string,
  { signal = AbortSignal.timeout(INLINE_MS) }: { signal?: AbortSignal } = {},
): Promise<DeleteCollectionResponse> {
  const { collection_id, collection_seq, collection_name, document_count } = await findCollection(
    db,
    scope,
    identifier,
  )
  const payload: DeleteCollectionPayload = { collection_id, collection_seq, task_id: newId.task() }
  await inTransaction(db, async (trx) => {
    // Of two requests at once one deletes it, and is written down.
    if (await store.deleteCollection(trx, scope, collection_id))
      await recordAudit(trx, scope, {
        action: 'collection_deleted',
        resource_type: 'collection',
        resource_id: collection_id,
        changes: { collection_name: { old: collection_name }, document_count: { old: document_count } },
      })
    await announceCollection(trx, scope, 'deleted', { collection_id, collection_name })
    await queue.enqueue(trx, [
      {
        organization_id: scope.organizationId,
        namespace_id: scope.namespaceId,
        kind: 'delete_collection',
        payload,
        delay_ms: JOB_DELAY_MS,
      },
    ])
  })
  const { isDone } = await purgeDocuments({ db, files }, scope, {
    collection_id,
    collection_seq,
    signal,
  })
  const answer = {
    message: 'Successfully deleted',
    success: true,
    collection_id,
    deleted_documents: document_count,
  }
  if (isDone) return answer
  await inTransaction(db, (trx) =>
    insertTask(trx, scope, {
      task_id: payload.task_id,
      // The contract has no task type for this work; this is the nearest.
      task_type: 'engine_object_processing',
      namespace_id: scope.namespaceId,
      status: 'IN_PROGRESS',
      inputs: [collection_id],
      additional_data: { operation: 'delete_collection', collection_id },
    }),
  )
  return { ...answer, task_id: payload.task_id }
}

/** The job `delete_collection`: removes what the request left. Running it again is harmless. */
export async function finishCollectionDelete(
  { db, files }: Pick<Context, 'db' | 'files'>,
  scope: Scope,
  { collection_id, collection_seq, task_id }: DeleteCollectionPayload,
  signal: AbortSignal,
): Promise<void> {
  const { isDone } = await purgeDocuments({ db, files }, scope, { collection_id, collection_seq, signal })
  if (!isDone) signal.throwIfAborted()
  await inTransaction(db, (trx) => updateTask(trx, scope, task_id, { status: 'COMPLETED' }))
}
