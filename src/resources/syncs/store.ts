import { KuraError } from '../../core/errors.ts'
import { decodeCursor, encodeCursor, type PageRequest } from '../../core/pagination.ts'
import type { OrganizationScope, Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { ItemRow } from '../../engine/sync/items.ts'
import { findSync, type RunRow, type SyncRow, updateSync } from '../../engine/sync/runs.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import { type CancelTask, updateTask } from '../tasks/index.ts'

/** The sync of this bucket. Throws `sync_not_found`. */
export async function getSync(
  db: DbOrTrx,
  scope: Scope,
  bucket_id: string,
  sync_config_id: string,
  options: { lock?: boolean } = {},
): Promise<SyncRow> {
  const row = await findSync(db, scope, sync_config_id, options)
  if (row?.bucket_id !== bucket_id)
    throw new KuraError('sync_not_found', { resource: 'sync', id: sync_config_id })
  return row
}

/** Every sync of a bucket: people make them, so they are few. */
export function listSyncs(db: DbOrTrx, { namespaceId }: Scope, bucket_id: string): Promise<SyncRow[]> {
  return db
    .selectFrom('syncs')
    .selectAll()
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', '=', bucket_id)
    .execute()
}

/** The newest runs of a sync. */
export function listRuns(
  db: DbOrTrx,
  { namespace_id, sync_config_id }: SyncRow,
  { limit, offset }: Pick<PageRequest, 'limit' | 'offset'>,
): Promise<RunRow[]> {
  return db
    .selectFrom('sync_runs')
    .selectAll()
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .orderBy('run_number', 'desc')
    .limit(limit)
    .offset(offset)
    .execute()
}

export async function countRuns(db: DbOrTrx, { namespace_id, sync_config_id }: SyncRow): Promise<number> {
  const { total } = await db
    .selectFrom('sync_runs')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .executeTakeFirstOrThrow()
  return Number(total)
}

/** One page of the items of a sync, in the order of their hashes, and the cursor of the next. */
export async function listItems(
  db: DbOrTrx,
  { namespace_id, sync_config_id }: SyncRow,
  state: string | null,
  { limit, offset, cursor }: PageRequest,
): Promise<{ rows: ItemRow[]; next_cursor: string | null }> {
  const identity = { sync_config_id, state }
  let query = db
    .selectFrom('sync_items')
    .selectAll()
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .orderBy('item_hash')
    .limit(limit + 1)
  if (state !== null) query = query.where('state', '=', state)
  query =
    cursor === null ? query.offset(offset) : query.where('item_hash', '>', decodeCursor(cursor, identity).id)
  const found = await query.execute()
  const rows = found.slice(0, limit)
  const last = rows.at(-1)
  const next_cursor =
    last && found.length > limit ? encodeCursor({ keys: [], id: last.item_hash }, identity) : null
  return { rows, next_cursor }
}

/** Removes a sync with its history; a run that is under way is canceled. What it knows of files stays with the bucket. */
export async function deleteSync(
  trx: Trx,
  scope: Scope,
  { namespace_id, sync_config_id }: SyncRow,
): Promise<void> {
  const open = await trx
    .selectFrom('sync_runs')
    .select('task_id')
    .where('namespace_id', '=', namespace_id)
    .where('sync_config_id', '=', sync_config_id)
    .where('ended_at', 'is', null)
    .execute()
  for (const { task_id } of open) await updateTask(trx, scope, task_id, { status: 'CANCELED' })
  for (const table of ['sync_runs', 'syncs'] as const)
    await trx
      .deleteFrom(table as 'syncs')
      .where('namespace_id', '=', namespace_id)
      .where('sync_config_id', '=', sync_config_id)
      .execute()
}

/** Suspends every sync of a connection that is being archived. */
export async function suspendSyncs(
  trx: Trx,
  { organizationId }: OrganizationScope,
  connection_id: string,
): Promise<void> {
  const rows = await trx
    .selectFrom('syncs')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('connection_id', '=', connection_id)
    .execute()
  const now = timestamp()
  for (const row of rows)
    if (row.paused_at === null)
      await updateSync(trx, row, {
        status: 'SUSPENDED',
        paused_at: now,
        pause_reason: 'The connection was archived.',
        schedule_token: null,
        next_sync_at: null,
      })
}

/** How the task of a run is killed: the run looks at it before every page, and ends. */
export const cancelTaskOfSync: Record<string, CancelTask> = {
  api_buckets_objects_create: async () => undefined,
}
