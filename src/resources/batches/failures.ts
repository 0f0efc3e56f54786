import { sql } from 'kysely'
import { type JsonObject, omitNulls } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import type { BatchErrorDetail, FailedDocument, FailedDocumentsResponse } from './schemas.ts'

/** Different errors of one batch that are shown; counts by category are always complete. */
const GROUPS_MAX = 50
/** Affected documents that are named in one group. */
const AFFECTED_MAX = 20

export type ErrorGroup = BatchErrorDetail & { tier_num: number; collection_id: string }

/** Equal errors of a batch, the most frequent first. */
export async function errorGroups(
  db: DbOrTrx,
  { namespaceId }: Scope,
  batch_id: string,
): Promise<ErrorGroup[]> {
  const groups = await db
    .selectFrom('row_failures')
    .select([
      'tier_num',
      'collection_id',
      'error_type',
      'message',
      'component',
      'stage',
      'recovery_suggestion',
    ])
    .select([
      sql<number>`count(*)`.as('count'),
      sql<string>`min(failed_at)`.as('first_at'),
      sql<string>`min(failure_id)`.as('sample'),
    ])
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .groupBy([
      'tier_num',
      'collection_id',
      'error_type',
      'message',
      'component',
      'stage',
      'recovery_suggestion',
    ])
    .orderBy('count', 'desc')
    .orderBy('sample')
    .limit(GROUPS_MAX)
    .execute()
  const shown: ErrorGroup[] = []
  for (const { count, first_at, sample: _sample, ...group } of groups)
    shown.push(
      omitNulls({
        ...group,
        error_type: group.error_type as BatchErrorDetail['error_type'],
        timestamp: first_at,
        affected_count: Number(count),
        affected_document_ids: await affected(db, namespaceId, batch_id, group),
      }),
    )
  return shown
}

async function affected(
  db: DbOrTrx,
  namespaceId: string,
  batch_id: string,
  { tier_num, collection_id, message }: { tier_num: number; collection_id: string; message: string },
): Promise<string[]> {
  const rows = await db
    .selectFrom('row_failures')
    .select(['object_id', 'document_id'])
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .where('collection_id', '=', collection_id)
    .where('message', '=', message)
    .limit(AFFECTED_MAX)
    .execute()
  return rows.flatMap(({ object_id, document_id }) => document_id ?? object_id ?? [])
}

/** How many documents failed by category, for each tier. */
export async function errorCounts(
  db: DbOrTrx,
  { namespaceId }: Scope,
  batch_id: string,
): Promise<{ tier_num: number; error_type: string; count: number }[]> {
  const rows = await db
    .selectFrom('row_failures')
    .select(['tier_num', 'error_type'])
    .select(sql<number>`count(*)`.as('count'))
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .groupBy(['tier_num', 'error_type'])
    .orderBy('tier_num')
    .orderBy('error_type')
    .execute()
  return rows.map((row) => ({ ...row, count: Number(row.count) }))
}

export type FailureFilter = {
  tier_num?: number | null | undefined
  collection_id?: string | null | undefined
}

export async function listFailures(
  db: DbOrTrx,
  { namespaceId }: Scope,
  batch_id: string,
  { tier_num, collection_id }: FailureFilter,
  { limit, offset }: { limit: number; offset: number },
): Promise<FailedDocumentsResponse> {
  let matching = db
    .selectFrom('row_failures')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
  if (tier_num !== null && tier_num !== undefined) matching = matching.where('tier_num', '=', tier_num)
  if (collection_id) matching = matching.where('collection_id', '=', collection_id)
  const rows = await matching
    .selectAll()
    .orderBy('tier_num')
    .orderBy('failed_at')
    .orderBy('failure_id')
    .limit(limit)
    .offset(offset)
    .execute()
  const { total } = await matching.select(sql<number>`count(*)`.as('total')).executeTakeFirstOrThrow()
  return { results: rows.map(present), total: Number(total), limit, offset }
}

function present({ namespace_id: _n, batch_id: _b, ...row }: Record<string, unknown>): FailedDocument {
  const failure = row as unknown as Omit<FailedDocument, 'is_transient'> & { is_transient: number }
  return omitNulls({
    ...failure,
    error: failure.message,
    is_transient: failure.is_transient === 1,
    ...(failure.retry_count > 0 && { last_retry_at: failure.failed_at }),
  } satisfies JsonObject & FailedDocument)
}
