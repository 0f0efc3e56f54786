import { KuraError } from '../../../core/errors.ts'
import type { Scope } from '../../../core/scope.ts'
import { type Db, type DbOrTrx, inSnapshot, inTransaction, type Trx } from '../../../platform/db/db.ts'
import type { Files } from '../../../platform/files/files.ts'
import { type Job, type JobQueue, LeaseLostError } from '../../../platform/queue/queue.ts'
import { advanceTasks, updateTask } from '../../tasks/index.ts'
import { CLONING, DELETING, startDeletion } from '../delete.ts'
import { purgeContents } from '../purge.ts'
import * as store from '../store.ts'
import { type CloneContext, type CloneNamespacePayload, Warnings } from './context.ts'
import { copyBuckets } from './copy-buckets.ts'
import { copyCollections } from './copy-collections.ts'
import { copyDocuments } from './copy-documents.ts'
import { copyRetrievers } from './copy-retrievers.ts'
import { CloneIds } from './ids.ts'

/** Runs before a clone is given up and its namespace removed. */
const ATTEMPTS_MAX = 3
/** Files shared, or looked at, in one transaction. */
const SLICE_FILES = 200

type Deps = { db: Db; files: Files; queue: JobQueue }
type Run = Deps & {
  job: Job
  payload: CloneNamespacePayload
  source: Scope
  target: Scope
  signal: AbortSignal
}

/**
 * The job `clone_namespace`; it belongs to the namespace that is filled. A run empties that namespace
 * first, since one before it may have been cut off anywhere, and then copies the source as it was
 * at one moment. What cannot be finished is removed.
 */
export function cloneNamespaceJob(deps: Deps): (job: Job, signal: AbortSignal) => Promise<void> {
  return async (job, signal) => {
    const payload = job.payload as CloneNamespacePayload
    const { organization_id: organizationId, namespace_id: namespaceId } = job
    const source = { organizationId, namespaceId: payload.source_namespace_id }
    const run: Run = { ...deps, job, payload, source, target: { organizationId, namespaceId }, signal }
    try {
      await empty(run)
      await shareFiles(run)
      const { cloned, warnings } = await inSnapshot(deps.db, (snapshot) => copyAll(run, snapshot))
      await dropUnused(run)
      await finish(run, { cloned_resources: cloned, warnings: warnings.list() })
    } catch (error) {
      const is_final = error instanceof KuraError && error.row.status < 500
      if (signal.aborted || error instanceof LeaseLostError || (!is_final && job.attempt < ATTEMPTS_MAX))
        throw error
      await giveUp(run, error as Error)
    }
    deps.queue.wake()
  }
}

/** A part of the work in a transaction of its own, refused when another worker has the job by now. */
function write<T>({ db, queue, job, payload, signal }: Run, work: (trx: Trx) => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  return inTransaction(db, async (trx) => {
    await queue.checkpoint(trx, job, payload)
    return work(trx)
  })
}

async function empty(run: Run): Promise<void> {
  const { files, target } = run
  for (;;) {
    const orphans = await write(run, (trx) => purgeContents({ trx, scope: target, files }))
    if (orphans === null) return
    await files.deleteBytes(orphans)
  }
}

/**
 * Shares all files before the moment of the snapshot: an object that is deleted, or gets other
 * bytes, while its neighbours are copied then loses nothing in the clone.
 */
async function shareFiles(run: Run): Promise<void> {
  const { db, files, source, target } = run
  const ids = new CloneIds(target.namespaceId)
  for await (const file_ids of fileIds(db, source))
    await write(run, (trx) =>
      files.shareWith(trx, source, target, new Map(file_ids.map((id) => [id, ids.of(id)]))),
    )
}

/** Files that nothing of the clone refers to: their owners went before the snapshot, or are not cloned. */
async function dropUnused(run: Run): Promise<void> {
  const { db, files, target } = run
  for await (const file_ids of fileIds(db, target))
    await files.deleteBytes(await write(run, (trx) => files.removeUnreferenced(trx, target, file_ids)))
}

async function* fileIds(db: DbOrTrx, { namespaceId }: Scope): AsyncGenerator<string[]> {
  let after = ''
  for (;;) {
    const rows = await db
      .selectFrom('files')
      .select('file_id')
      .where('namespace_id', '=', namespaceId)
      .where('file_id', '>', after)
      .orderBy('file_id')
      .limit(SLICE_FILES)
      .execute()
    const last = rows.at(-1)
    if (!last) return
    after = last.file_id
    yield rows.map(({ file_id }) => file_id)
  }
}

async function copyAll(run: Run, snapshot: Trx): Promise<CloneContext> {
  const { source, target, files, payload } = run
  const { task_id, include } = payload
  await copyConfiguration(run, snapshot)
  const context: CloneContext = {
    snapshot,
    source,
    target,
    ids: new CloneIds(target.namespaceId, await knownIds(snapshot, source)),
    files,
    write: (work) => write(run, work),
    advance: (trx, processed) => advanceTasks(trx, target, [task_id], { processed }),
    cloned: { collections: 0, retrievers: 0, taxonomies: 0, buckets: 0, objects: 0, points: 0 },
    warnings: new Warnings(),
  }
  await copyBuckets(context)
  const collections = include.collections ? await copyCollections(context) : new Map()
  await copyDocuments(context, collections)
  if (include.retrievers) await copyRetrievers(context, new Set(collections.keys()))
  return context
}

/** Extractors and indexes may have changed since the request; with them the task learns how much there is. */
async function copyConfiguration(run: Run, snapshot: Trx): Promise<void> {
  const { source, target, payload } = run
  const row = await store.findNamespace(snapshot, source, source.namespaceId)
  if (!row) throw new KuraError('namespace_not_found', { resource: 'namespace', id: source.namespaceId })
  if (row.status === DELETING) throw new KuraError('resource_deleting', { resource: 'namespace' })
  const { feature_extractors, payload_indexes, infrastructure, auto_create_indexes } = row
  const counts = (await store.countContents(snapshot, source, source.namespaceId))(source.namespaceId)
  const total = counts.object_count + (payload.include.collections ? counts.document_count : 0)
  await write(run, async (trx) => {
    await updateTask(trx, target, payload.task_id, { status: 'IN_PROGRESS', processed: 0, total })
    await store.updateNamespace(trx, target, target.namespaceId, {
      feature_extractors,
      payload_indexes,
      infrastructure,
      auto_create_indexes,
    })
  })
}

/** Ids that configurations name. */
async function knownIds(db: DbOrTrx, { namespaceId }: Scope): Promise<Set<string>> {
  const buckets = await db
    .selectFrom('buckets')
    .select('bucket_id as id')
    .where('namespace_id', '=', namespaceId)
    .execute()
  const collections = await db
    .selectFrom('collections')
    .select('collection_id as id')
    .where('namespace_id', '=', namespaceId)
    .execute()
  const sources = await db
    .selectFrom('collection_sources')
    .select('source_id as id')
    .where('namespace_id', '=', namespaceId)
    .execute()
  const retrievers = await db
    .selectFrom('retrievers')
    .select('retriever_id as id')
    .where('namespace_id', '=', namespaceId)
    .execute()
  return new Set([...buckets, ...collections, ...sources, ...retrievers].map(({ id }) => id))
}

async function finish(
  { db, queue, job, payload, target }: Run,
  output: Record<string, unknown>,
): Promise<void> {
  await inTransaction(db, async (trx) => {
    await queue.complete(trx, job)
    const row = await store.lockNamespace(trx, target, target.namespaceId)
    // Somebody may have deleted it meanwhile; then it goes.
    if (row?.status === CLONING)
      await store.updateNamespace(trx, target, target.namespaceId, { status: 'ACTIVE' })
    await updateTask(trx, target, payload.task_id, {
      status: 'COMPLETED',
      outputs: [{ namespace_id: target.namespaceId, ...output }],
    })
  })
}

/** The half of a clone is worth nothing: it is removed as any namespace is. */
async function giveUp({ db, queue, job, payload, target }: Run, { message }: Error): Promise<void> {
  await inTransaction(db, async (trx) => {
    await queue.complete(trx, job)
    await updateTask(trx, target, payload.task_id, { status: 'FAILED', error: message })
    const row = await store.lockNamespace(trx, target, target.namespaceId)
    if (row?.status === CLONING) await startDeletion(trx, queue, target, row)
  })
}
