import { newId } from '../../core/ids.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import { insertDeliveries, type NewDelivery } from './delivery-store.ts'
import { listWebhooks, type WebhookRecord } from './store.ts'

/** Events of one transaction. */
const EVENTS_MAX = 200

type Event = { event_id: string; event_type: string }

/** A delivery that is due now. */
export function newDelivery(
  { organization_id, webhook_id, channels }: WebhookRecord,
  channel_index: number,
  { event_id, event_type }: Event,
): NewDelivery {
  const now = timestamp()
  return {
    organization_id,
    delivery_id: newId.delivery(),
    webhook_id,
    channel_index,
    channel: channels[channel_index]!.channel,
    event_id,
    event_type,
    status: 'pending',
    attempt_count: 0,
    replay_count: 0,
    next_attempt_at: now,
    attempts: '[]',
    error: null,
    created_at: now,
    completed_at: null,
  }
}

/**
 * Gives waiting events to the deliveries of the webhooks that listen, oldest first, a bounded number
 * of them. Returns how many events were handed over.
 */
export async function handOver(trx: Trx, secrets: SecretBox, scope: OrganizationScope): Promise<number> {
  const waiting = trx
    .selectFrom('outbox_events')
    .select(['event_seq', 'event_id', 'event_type'])
    .where('organization_id', '=', scope.organizationId)
    .where('handed_over_at', 'is', null)
    .orderBy('event_seq')
    .limit(EVENTS_MAX)
  const events = await (dialect(trx) === 'postgres' ? waiting.forUpdate() : waiting).execute()
  if (events.length === 0) return 0
  // Read after the events, so that a webhook for whose sake an event was recorded is among them.
  const webhooks = await listWebhooks(trx, secrets, scope, { only_active: true })
  const deliveries = events.flatMap((event) =>
    webhooks
      .filter(({ event_types }) => event_types.some((type) => type === event.event_type))
      .flatMap((webhook) => webhook.channels.map((_, index) => newDelivery(webhook, index, event))),
  )
  await insertDeliveries(trx, deliveries)
  await trx
    .updateTable('outbox_events')
    .set({ handed_over_at: timestamp() })
    .where(
      'event_seq',
      'in',
      events.map(({ event_seq }) => event_seq),
    )
    .execute()
  return events.length
}

/** Whether events wait to be handed over. */
export async function hasWaitingEvents(db: DbOrTrx, { organizationId }: OrganizationScope): Promise<boolean> {
  const row = await db
    .selectFrom('outbox_events')
    .select('event_seq')
    .where('organization_id', '=', organizationId)
    .where('handed_over_at', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
