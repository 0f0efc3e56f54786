import { sql } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import { isTerminal } from '../../core/task-status.ts'
import { parseInstant, timestamp } from '../../core/time.ts'
import { counted } from '../../engine/ingest/batch-log.ts'
import type { BatchSnapshot } from '../../engine/ingest/snapshot.ts'
import { listTierCollections } from '../../engine/ingest/store.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { BatchHealth } from './schemas.ts'
import { type BatchRow, readSnapshot } from './store.ts'

/** A batch without progress for this long is called stalled. */
const STALLED_AFTER_SECONDS = 300
/** Different advices, and different features, that an answer names. */
const NAMED_MAX = 20

/** How a batch is doing and what to do about it; the answer is kept in `internal_metadata.last_health_check`. */
export async function checkHealth(trx: Trx, scope: Scope, batch: BatchRow): Promise<BatchHealth> {
  const { batch_id } = batch
  const counts = await countDocuments(trx, scope, batch)
  const failures = await summarizeFailures(trx, scope, batch_id)
  const stall_duration_seconds = secondsWithoutProgress(batch)
  const health_status = statusOf(batch, { stall_duration_seconds, failed: failures.failed })
  const health: BatchHealth = {
    batch_id,
    health_status,
    ...counts,
    missing_features: failures.missing_features,
    stall_duration_seconds,
    recommendations: [
      ...(batch.status === 'DRAFT' ? ['The batch is a draft: submit it.'] : []),
      ...(health_status === 'STALLED' ? [await whyStalled(trx, scope, batch_id)] : []),
      ...failures.recommendations,
    ],
    timestamp: timestamp(),
  }
  await keep(trx, scope, batch, health)
  return health
}

function secondsWithoutProgress({ status, progress_at, updated_at }: BatchRow): number {
  if (isTerminal(status) || status === 'DRAFT') return 0
  // Programs before this one did not note progress apart from other changes.
  const since_ms = parseInstant(progress_at ?? updated_at) ?? Date.now()
  return Math.max(0, Math.round((Date.now() - since_ms) / 1000))
}

function statusOf(
  { status }: BatchRow,
  { stall_duration_seconds, failed }: { stall_duration_seconds: number; failed: number },
): BatchHealth['health_status'] {
  if (status === 'FAILED') return 'FAILED'
  if (stall_duration_seconds >= STALLED_AFTER_SECONDS) return 'STALLED'
  return failed > 0 ? 'DEGRADED' : 'HEALTHY'
}

type Counts = Pick<
  BatchHealth,
  'total_documents' | 'processed_documents' | 'enriched_documents' | 'vector_populated_count'
>

async function countDocuments(
  db: DbOrTrx,
  scope: Scope,
  { batch_id, object_count }: BatchRow,
): Promise<Counts> {
  const collections = await listTierCollections(db, scope, batch_id)
  const snapshot = collections.length > 0 ? await readSnapshot(db, scope, batch_id) : null
  const sum = (pick: (one: (typeof collections)[number]) => number) =>
    collections.reduce((total, one) => total + pick(one), 0)
  const written = sum(({ documents_written }) => documents_written)
  return {
    total_documents:
      sum(({ documents_after_source_filter }) => documents_after_source_filter) || object_count,
    processed_documents: sum(({ rows_done }) => rows_done),
    enriched_documents: Math.max(0, written - (await countPartial(db, scope, batch_id))),
    vector_populated_count: sum((one) =>
      writesVectors(snapshot, one.collection_id) ? one.documents_written : 0,
    ),
  }
}

/** A document is written with its primary vector or not at all. */
const writesVectors = (snapshot: BatchSnapshot | null, collection_id: string) =>
  (snapshot?.collections[collection_id]?.vector_indexes.length ?? 0) > 0

/** Documents that lack an optional feature. They are only looked for where a failure says that there are any. */
async function countPartial(db: DbOrTrx, { namespaceId }: Scope, batch_id: string): Promise<number> {
  const flag =
    dialect(db) === 'postgres'
      ? sql`payload -> '__fully_enriched' = 'false'::jsonb`
      : sql`json_extract(payload, '$.__fully_enriched') = 0`
  const { rows } = await sql<{ total: number }>`
    select count(*) as total from documents
    where namespace_id = ${namespaceId} and batch_id = ${batch_id} and ${flag}
      and exists (select 1 from row_failures f
        where f.namespace_id = ${namespaceId} and f.batch_id = ${batch_id} and f.stage like 'feature:%')`.execute(
    db,
  )
  return Number(rows[0]?.total ?? 0)
}

async function summarizeFailures(db: DbOrTrx, { namespaceId }: Scope, batch_id: string) {
  const groups = await db
    .selectFrom('row_failures')
    .select(['stage', 'is_transient', 'recovery_suggestion', sql<number>`count(*)`.as('count')])
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .groupBy(['stage', 'is_transient', 'recovery_suggestion'])
    .execute()
  const count = (some: typeof groups) => some.reduce((sum, one) => sum + Number(one.count), 0)
  const failed = count(groups)
  const transient = count(groups.filter(({ is_transient }) => is_transient === 1))
  const features = groups.flatMap(({ stage }) => /^feature:(.*)$/s.exec(stage)?.[1] ?? [])
  const advices = groups.flatMap(({ recovery_suggestion }) => recovery_suggestion ?? [])
  return {
    failed,
    missing_features: [...new Set(features)].sort().slice(0, NAMED_MAX),
    recommendations: [
      ...(transient > 0 ? [`${counted(transient, 'failure')} may pass by themselves: retry the batch.`] : []),
      ...(failed > transient
        ? [
            `${counted(failed - transient, 'failure')} ${failed - transient === 1 ? 'needs' : 'need'} a change first: see its failed documents.`,
          ]
        : []),
      ...[...new Set(advices)].sort().slice(0, NAMED_MAX),
    ],
  }
}

/** Leases are the sign of life of workers, and errors stay with the jobs that are tried again. */
async function whyStalled(db: DbOrTrx, { namespaceId }: Scope, batch_id: string): Promise<string> {
  const own = await db
    .selectFrom('jobs')
    .select(['lease_expires_at', 'last_error'])
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .execute()
  const now = timestamp()
  if (own.some(({ lease_expires_at }) => lease_expires_at !== null && lease_expires_at > now))
    return 'A worker is still at one of its rows: wait, or cancel the batch.'
  if (own.some(({ last_error }) => last_error !== null))
    return 'A job of the batch fails and is tried again: the log of the server tells why.'
  const busy = await db
    .selectFrom('jobs')
    .select('job_id')
    .where('lane', '=', 'compute')
    .where('lease_expires_at', '>', now)
    .limit(1)
    .executeTakeFirst()
  return busy
    ? 'All workers are at other jobs: raise the priority of the batch, or start more workers.'
    : 'No worker runs: start `kura worker`, or `kura serve` with engine processes.'
}

async function keep(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, internal_metadata }: BatchRow,
  health: BatchHealth,
): Promise<void> {
  await trx
    .updateTable('batches')
    // A look is no change: `updated_at` stays.
    .set({
      internal_metadata: JSON.stringify({ ...JSON.parse(internal_metadata), last_health_check: health }),
    })
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .execute()
}
