import { toTimestamp } from '../../core/time.ts'
import { type Db, inTransaction } from '../../platform/db/db.ts'

/** Deliveries and events are kept this long (contract, webhooks). */
const KEPT_MS = 30 * 86_400_000
const SLICE_ROWS = 1000

/** Removes deliveries that have ended and events that have had their time. Returns how many rows went. */
export async function purgeDeliveries(db: Db): Promise<number> {
  const cutoff = toTimestamp(Date.now() - KEPT_MS)
  let purged = 0
  for (const webhook of await db.selectFrom('webhooks').select(['organization_id', 'webhook_id']).execute())
    purged += await inSlices(() => purgeOf(db, webhook, cutoff))
  return purged + (await inSlices(() => purgeEvents(db, cutoff)))
}

/** In slices, so that no writer waits long. */
async function inSlices(purge: () => Promise<number>): Promise<number> {
  let total = 0
  for (;;) {
    const count = await purge()
    total += count
    if (count < SLICE_ROWS) return total
  }
}

function purgeOf(
  db: Db,
  webhook: { organization_id: string; webhook_id: string },
  cutoff: string,
): Promise<number> {
  return inTransaction(db, async (trx) => {
    const old = await trx
      .selectFrom('webhook_deliveries')
      .select('delivery_id')
      .where('organization_id', '=', webhook.organization_id)
      .where('webhook_id', '=', webhook.webhook_id)
      .where('created_at', '<', cutoff)
      .where('status', '!=', 'pending')
      .limit(SLICE_ROWS)
      .execute()
    if (old.length === 0) return 0
    await trx
      .deleteFrom('webhook_deliveries')
      .where('organization_id', '=', webhook.organization_id)
      .where(
        'delivery_id',
        'in',
        old.map(({ delivery_id }) => delivery_id),
      )
      .execute()
    return old.length
  })
}

/** An event outlives its age while a delivery of it is pending: without it there is nothing to send. */
function purgeEvents(db: Db, cutoff: string): Promise<number> {
  return inTransaction(db, async (trx) => {
    const old = await trx
      .selectFrom('outbox_events')
      .select('event_seq')
      .where('occurred_at', '<', cutoff)
      // Not what came late, after a long standstill: its deliveries are as young as its handing over.
      .where('handed_over_at', '<', cutoff)
      .where('event_id', 'not in', (eb) =>
        eb.selectFrom('webhook_deliveries').select('event_id').where('created_at', '<', cutoff),
      )
      .limit(SLICE_ROWS)
      .execute()
    if (old.length === 0) return 0
    await trx
      .deleteFrom('outbox_events')
      .where(
        'event_seq',
        'in',
        old.map(({ event_seq }) => event_seq),
      )
      .execute()
    return old.length
  })
}
