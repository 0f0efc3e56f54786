import type { JsonObject } from '../../core/json.ts'
import { omitNulls } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import { parseInstant } from '../../core/time.ts'
import { collectionOutcome, tierOutcome } from '../../engine/ingest/outcome.ts'
import { listTierCollections, listTiers } from '../../engine/ingest/store.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import { type ErrorGroup, errorCounts, errorGroups } from './failures.ts'
import type { BatchErrorDetail, BatchModel, ExtractorJobInfo, TierTaskInfo } from './schemas.ts'
import { type BatchRow, objectIds } from './store.ts'

type Tier = Awaited<ReturnType<typeof listTiers>>[number]
type TierCollection = Awaited<ReturnType<typeof listTierCollections>>[number]
type Counts = Awaited<ReturnType<typeof errorCounts>>

/** A batch as clients see it, with the state of its tiers. */
export async function presentBatch(
  db: DbOrTrx,
  scope: Scope,
  row: BatchRow,
  { object_ids_max }: { object_ids_max: number },
): Promise<BatchModel> {
  const { batch_id } = row
  const tiers = row.submitted_at === null ? [] : await listTiers(db, scope, batch_id)
  const collections = tiers.length > 0 ? await listTierCollections(db, scope, batch_id) : []
  const counts = tiers.length > 0 ? await errorCounts(db, scope, batch_id) : []
  const groups = counts.length > 0 ? await errorGroups(db, scope, batch_id) : []
  return omitNulls({
    batch_id,
    bucket_id: row.bucket_id,
    status: row.status as TaskStatus,
    object_ids: await objectIds(db, scope, batch_id, object_ids_max),
    object_count: row.object_count,
    collection_ids: parsed<string[]>(row.collection_ids),
    error: row.error,
    error_summary: summary(counts),
    priority: row.priority,
    type: row.type as BatchModel['type'],
    task_id: row.task_id,
    internal_metadata: parsed<JsonObject>(row.internal_metadata),
    metadata: JSON.parse(row.metadata) as Record<string, unknown>,
    tier_tasks: tiers.map((tier) => presentTier(tier, collections, counts, groups)),
    current_tier: row.current_tier,
    total_tiers: Math.max(1, row.total_tiers),
    dag_tiers: parsed<string[][]>(row.dag_tiers),
    created_at: row.created_at,
    updated_at: row.updated_at,
  })
}

const parsed = <T>(json: string | null): T | null => (json === null ? null : (JSON.parse(json) as T))

function summary(counts: Counts): Record<string, number> | null {
  if (counts.length === 0) return null
  const byType: Record<string, number> = {}
  for (const { error_type, count } of counts) byType[error_type] = (byType[error_type] ?? 0) + count
  return byType
}

function presentTier(
  tier: Tier,
  all: readonly TierCollection[],
  counts: Counts,
  groups: readonly ErrorGroup[],
): TierTaskInfo {
  const { tier_num } = tier
  const collections = all.filter((one) => one.tier_num === tier_num)
  const own = groups.filter((group) => group.tier_num === tier_num)
  return omitNulls({
    tier_num,
    task_id: tier.task_id,
    status: tier.status as TaskStatus,
    collection_ids: collections.map(({ collection_id }) => collection_id),
    extractor_jobs: extractorJobs(tier, collections, own),
    source_type: tier.source_type,
    source_collection_ids: emptyAsNull(parsed<string[]>(tier.source_collection_ids)),
    parent_task_id: tier.parent_task_id,
    ...times(tier),
    errors: own.map(detail),
    error_summary: summary(counts.filter((one) => one.tier_num === tier_num)),
    source_documents_fetched: sum(collections, 'source_documents_fetched'),
    documents_after_source_filter: sum(collections, 'documents_after_source_filter'),
    documents_missing_input_fields: sum(collections, 'documents_missing_input_fields'),
    documents_submitted_to_engine: sum(collections, 'documents_submitted_to_engine'),
    documents_written: sum(collections, 'documents_written'),
  })
}

const emptyAsNull = (ids: string[] | null) => (ids && ids.length > 0 ? ids : null)

const detail = ({ tier_num: _t, collection_id: _c, ...rest }: ErrorGroup): BatchErrorDetail => rest

/** One entry a distinct extractor of the tier; its collections run side by side. */
function extractorJobs(
  tier: Tier,
  collections: readonly TierCollection[],
  groups: readonly ErrorGroup[],
): ExtractorJobInfo[] {
  const byExtractor = Map.groupBy(collections, ({ feature_extractor_id }) => feature_extractor_id)
  return [...byExtractor].map(([extractor_type, own]) => {
    const ids = own.map(({ collection_id }) => collection_id)
    const errors = groups.filter(({ collection_id }) => ids.includes(collection_id)).map(detail)
    return omitNulls({
      extractor_type,
      collection_ids: ids,
      status: jobStatus(tier, own),
      ...times({
        started_at: earliest(own.map(({ started_at }) => started_at)),
        completed_at: own.every(({ completed_at }) => completed_at !== null) ? tier.completed_at : null,
      }),
      documents_written: sum(own, 'documents_written'),
      errors,
      error: errors[0]?.message ?? null,
    })
  })
}

/** Collections end with their tier; until then the tier's state is theirs. */
function jobStatus(tier: Tier, own: readonly TierCollection[]): TaskStatus {
  if (tier.completed_at === null || tier.status === 'CANCELED') return tier.status as TaskStatus
  return own.length === 1 ? collectionOutcome(own[0]!) : tierOutcome(own)
}

function times({ started_at, completed_at }: { started_at: string | null; completed_at: string | null }) {
  const from = started_at && parseInstant(started_at)
  const to = completed_at && parseInstant(completed_at)
  return { started_at, completed_at, duration_ms: from && to ? Math.round(to - from) : null }
}

const earliest = (instants: readonly (string | null)[]) =>
  instants.filter((at) => at !== null).sort()[0] ?? null

type Counter =
  | 'source_documents_fetched'
  | 'documents_after_source_filter'
  | 'documents_missing_input_fields'
  | 'documents_submitted_to_engine'
  | 'documents_written'

const sum = (collections: readonly TierCollection[], counter: Counter) =>
  collections.reduce((total, one) => total + one[counter], 0)
