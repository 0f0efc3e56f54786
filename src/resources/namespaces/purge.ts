import type { Scope } from '../../core/scope.ts'
import { isTerminal } from '../../core/task-status.ts'
import { removeDocuments } from '../../engine/ingest/remove-documents.ts'
import { dialect, type Trx } from '../../platform/db/db.ts'
import { deleteSlice } from '../../platform/db/delete-slice.ts'
import type { Files, OrphanedFile } from '../../platform/files/files.ts'
import { dropCollectionText } from '../../platform/lexical/lexical-store.ts'
import { deleteVectorIndexes } from '../../platform/vectors/vector-store.ts'
import { updateTask } from '../tasks/index.ts'

/** Rows removed in one transaction: no writer waits long. */
const SLICE_ROWS = 1000
const SLICE_DOCUMENTS = 500

/**
 * Tables whose rows simply go, in slices. Every table with a `namespace_id` is here, or removed by a
 * step of its own, or kept on purpose; a test compares this with the database.
 */
export const PLAIN_TABLES = [
  'syncs',
  'sync_runs',
  'sync_items',
  'source_adapter_objects',
  'source_adapter_events',
  'source_adapters',
  'file_references',
  'objects',
  'batch_objects',
  'batch_tier_collections',
  'batch_tiers',
  'batch_logs',
  'row_failures',
  'batches',
  'collection_sources',
  'retrievers',
  'uploads',
  'buckets',
  'bucket_totals',
  'filter_uses',
] as const

/** Removed by a step of their own. */
export const STEPPED_TABLES = [
  'jobs',
  'documents',
  'collections',
  'lexical_indexes',
  'vector_indexes',
  'files',
  'bucket_search',
  'namespaces',
] as const

/** They outlive the namespace: what happened in it is still told. */
export const KEPT_TABLES = ['tasks', 'outbox_events'] as const

type Contents = { trx: Trx; scope: Scope; files: Pick<Files, 'release' | 'remove'> }

export type PurgeContext = Contents & {
  /** The task and the job of the deletion itself. */
  task_id: string
  job_id: string
}

/** Removes one slice of what is in a namespace; null: nothing is left. Hand the files to `deleteBytes` after the commit. */
export async function purgeSlice(context: PurgeContext): Promise<OrphanedFile[] | null> {
  return (await stopWork(context)) ? [] : purgeContents(context)
}

/** `purgeSlice` where nothing runs in the namespace. */
export async function purgeContents(context: Contents): Promise<OrphanedFile[] | null> {
  const { trx, scope } = context
  const orphans =
    (await purgeDocuments(context)) ?? (await purgeCollection(context)) ?? (await purgeFiles(context))
  if (orphans) return orphans
  if (await purgeBucketSearch(trx, scope)) return []
  for (const table of PLAIN_TABLES)
    if (await deleteSlice(trx, table, { namespace_id: scope.namespaceId }, SLICE_ROWS)) return []
  await deleteVectorIndexes(trx, scope)
  return null
}

/** What runs in the namespace must not write while it goes: its jobs are removed, its tasks canceled. */
async function stopWork({ trx, scope, task_id, job_id }: PurgeContext): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('jobs')
    .where('namespace_id', '=', scope.namespaceId)
    .where('job_id', '!=', job_id)
    .executeTakeFirst()
  if (numDeletedRows === 0n) return false
  const tasks = await trx
    .selectFrom('tasks')
    .select(['task_id', 'status'])
    .where('organization_id', '=', scope.organizationId)
    .where('namespace_id', '=', scope.namespaceId)
    .where('ended_at', 'is', null)
    .execute()
  for (const task of tasks)
    if (task.task_id !== task_id && !isTerminal(task.status))
      await updateTask(trx, scope, task.task_id, { status: 'CANCELED' })
  return true
}

async function purgeDocuments({ trx, scope, files }: Contents): Promise<OrphanedFile[] | null> {
  const part = await trx
    .selectFrom('documents')
    .select(['document_seq', 'document_id', 'collection_id'])
    .where('namespace_id', '=', scope.namespaceId)
    .limit(SLICE_DOCUMENTS)
    .execute()
  return part.length === 0 ? null : (await removeDocuments(trx, scope, files, part)).orphans
}

/** A collection without documents. */
async function purgeCollection({ trx, scope }: Contents): Promise<OrphanedFile[] | null> {
  const collection = await trx
    .selectFrom('collections')
    .select(['collection_id', 'collection_seq'])
    .where('namespace_id', '=', scope.namespaceId)
    .limit(1)
    .executeTakeFirst()
  if (!collection) return null
  await dropCollectionText(trx, collection.collection_seq)
  await trx
    .deleteFrom('collections')
    .where('namespace_id', '=', scope.namespaceId)
    .where('collection_id', '=', collection.collection_id)
    .execute()
  return []
}

/** All files go whoever refers to them: their owners go too. */
async function purgeFiles({ trx, scope, files }: Contents): Promise<OrphanedFile[] | null> {
  const rows = await trx
    .selectFrom('files')
    .select('file_id')
    .where('namespace_id', '=', scope.namespaceId)
    .limit(SLICE_ROWS)
    .execute()
  if (rows.length === 0) return null
  return files.remove(
    trx,
    scope,
    rows.map(({ file_id }) => file_id),
  )
}

async function purgeBucketSearch(trx: Trx, { namespaceId }: Scope): Promise<boolean> {
  const rows = await trx
    .selectFrom('bucket_search')
    .select('bucket_seq')
    .where('namespace_id', '=', namespaceId)
    .limit(SLICE_ROWS)
    .execute()
  if (rows.length === 0) return false
  const seqs = rows.map(({ bucket_seq }) => bucket_seq)
  await trx
    .deleteFrom('bucket_search')
    .where('namespace_id', '=', namespaceId)
    .where('bucket_seq', 'in', seqs)
    .execute()
  if (dialect(trx) === 'sqlite')
    await trx.deleteFrom('bucket_search_trigrams').where('rowid', 'in', seqs).execute()
  return true
}
