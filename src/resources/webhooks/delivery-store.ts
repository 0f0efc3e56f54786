import { type Insertable, type Selectable, sql } from 'kysely'
import { decodeCursor, encodeCursor, type PageRequest } from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import type { Delivery, ListDeliveriesQuery } from './delivery-schemas.ts'

export type DeliveryRow = Selectable<Schema['webhook_deliveries']>
export type NewDelivery = Insertable<Schema['webhook_deliveries']>

/** Rows of one insert: 15 columns of 500 rows are far below SQLite's bound of parameters. */
const INSERT_ROWS_MAX = 500

// Written out instead of bound: the index of pending deliveries is used only for statements that say so.
const PENDING = sql<'pending'>`'pending'`

/** Deliveries that are there already stay as they are. */
export async function insertDeliveries(trx: Trx, rows: readonly NewDelivery[]): Promise<void> {
  for (let start = 0; start < rows.length; start += INSERT_ROWS_MAX) {
    await trx
      .insertInto('webhook_deliveries')
      .values(rows.slice(start, start + INSERT_ROWS_MAX))
      .onConflict((conflict) =>
        conflict.columns(['organization_id', 'webhook_id', 'event_id', 'channel_index']).doNothing(),
      )
      .execute()
  }
}

/** What one webhook is to be sent now, the longest due first. */
export function listDue(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  webhook_id: string,
  limit: number,
): Promise<DeliveryRow[]> {
  return db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('webhook_id', '=', webhook_id)
    .where('status', '=', PENDING)
    .where('next_attempt_at', '<=', timestamp())
    .orderBy('next_attempt_at')
    .limit(limit)
    .execute()
}

/** When the next pending delivery of an active webhook is due; null when none is pending. */
export async function nextDueAt(db: DbOrTrx, { organizationId }: OrganizationScope): Promise<string | null> {
  const row = await db
    .selectFrom('webhook_deliveries')
    .select((eb) => eb.fn.min('next_attempt_at').as('next'))
    .where('organization_id', '=', organizationId)
    .where('status', '=', PENDING)
    .where('webhook_id', 'in', (eb) =>
      eb
        .selectFrom('webhooks')
        .select('webhook_id')
        .where('organization_id', '=', organizationId)
        .where('is_active', '=', 1),
    )
    .executeTakeFirst()
  return row?.next ?? null
}

export type DeliveryChange = Partial<
  Pick<
    DeliveryRow,
    'status' | 'attempt_count' | 'next_attempt_at' | 'attempts' | 'error' | 'completed_at' | 'replay_count'
  >
>

/**
 * Writes the outcome of an attempt, if the delivery is still where it was when the attempt began:
 * meanwhile it may have been canceled, or sent by another worker. Returns whether it was written.
 */
export async function settle(
  trx: Trx,
  { organizationId }: OrganizationScope,
  { delivery_id, attempt_count, replay_count }: DeliveryRow,
  change: DeliveryChange,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('webhook_deliveries')
    .set(change)
    .where('organization_id', '=', organizationId)
    .where('delivery_id', '=', delivery_id)
    .where('status', '=', PENDING)
    .where('attempt_count', '=', attempt_count)
    .where('replay_count', '=', replay_count)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** An inactive webhook is sent nothing, also not what waited. */
export async function cancelPending(
  trx: Trx,
  { organizationId }: OrganizationScope,
  webhook_id: string,
  reason: string,
): Promise<void> {
  await trx
    .updateTable('webhook_deliveries')
    .set({ status: 'canceled', error: reason, next_attempt_at: null, completed_at: timestamp() })
    .where('organization_id', '=', organizationId)
    .where('webhook_id', '=', webhook_id)
    .where('status', '=', PENDING)
    .execute()
}

export function findDelivery(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  webhook_id: string,
  delivery_id: string,
): Promise<DeliveryRow | undefined> {
  return db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('webhook_id', '=', webhook_id)
    .where('delivery_id', '=', delivery_id)
    .executeTakeFirst()
}

/** One page of the log, newest first. */
export async function listDeliveries(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  webhook_id: string,
  { query, page }: { query: ListDeliveriesQuery; page: PageRequest },
): Promise<{ rows: DeliveryRow[]; next_cursor: string | null }> {
  const identity = { webhook_id, ...query }
  let select = db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where('webhook_id', '=', webhook_id)
  for (const member of ['status', 'event_type', 'event_id'] as const) {
    const value = query[member]
    if (value !== undefined) select = select.where(member, '=', value)
  }
  if (page.cursor === null) select = select.offset(page.offset)
  else {
    const { keys, id } = decodeCursor(page.cursor, identity)
    const created_at = String(keys[0])
    select = select.where((eb) =>
      eb.or([
        eb('created_at', '<', created_at),
        eb.and([eb('created_at', '=', created_at), eb('delivery_id', '>', id)]),
      ]),
    )
  }
  const found = await select
    .orderBy('created_at', 'desc')
    .orderBy('delivery_id')
    .limit(page.limit + 1)
    .execute()
  const rows = found.slice(0, page.limit)
  const last = rows.at(-1)
  const next_cursor =
    last && found.length > page.limit
      ? encodeCursor({ keys: [last.created_at], id: last.delivery_id }, identity)
      : null
  return { rows, next_cursor }
}

/** A delivery as clients see it. */
export function presentDelivery(row: DeliveryRow): Delivery {
  const { organization_id: _, next_attempt_at, error, completed_at, attempts, ...rest } = row
  return {
    ...rest,
    ...(next_attempt_at !== null && { next_attempt_at }),
    ...(error !== null && { error }),
    ...(completed_at !== null && { completed_at }),
    attempts: JSON.parse(attempts),
  }
}
