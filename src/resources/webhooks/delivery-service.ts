import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { type PageRequest, paginate } from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { parseInstant, timestamp, toTimestamp } from '../../core/time.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import { wakeDispatcher } from '../../platform/events/outbox.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { messageOf, type Sender, tryDelivery } from './attempt.ts'
import { withAttempt } from './channel-sender.ts'
import type {
  Delivery,
  DeliveryDetail,
  ListDeliveriesQuery,
  ListDeliveriesResponse,
  ReplayBody,
  ReplayResponse,
  TestWebhookBody,
  TestWebhookResponse,
} from './delivery-schemas.ts'
import {
  type DeliveryRow,
  findDelivery,
  insertDeliveries,
  listDeliveries,
  presentDelivery,
} from './delivery-store.ts'
import { toEvent } from './event.ts'
import { newDelivery } from './hand-over.ts'
import type { WebhookService } from './service.ts'
import type { WebhookRecord } from './store.ts'

/** Deliveries that one call replays. */
const REPLAYED_MAX = 10_000
const REPLAY_SLICE = 500

type Options = { db: Db; queue: JobQueue; webhooks: WebhookService; sender: Sender }

/** What was sent to webhooks, and sending it again. Throws `webhook_not_found`, `webhook_delivery_not_found`. */
export class WebhookDeliveryService {
  readonly #options: Options

  constructor(options: Options) {
    this.#options = options
  }

  async list(
    scope: OrganizationScope,
    identifier: string,
    query: ListDeliveriesQuery,
    page: PageRequest,
  ): Promise<ListDeliveriesResponse> {
    const { db, webhooks } = this.#options
    const { webhook_id } = await webhooks.find(scope, identifier)
    const { rows, next_cursor } = await listDeliveries(db, scope, webhook_id, { query, page })
    const path = `/v1/organizations/webhooks/${encodeURIComponent(identifier)}/deliveries`
    return {
      results: rows.map(presentDelivery),
      pagination: paginate({ page, total: null, path, next_cursor }),
    }
  }

  async get(scope: OrganizationScope, identifier: string, delivery_id: string): Promise<DeliveryDetail> {
    const { db, webhooks } = this.#options
    const { webhook_id } = await webhooks.find(scope, identifier)
    const row = await findDelivery(db, scope, webhook_id, delivery_id)
    if (!row) throw deliveryNotFound(delivery_id)
    const event = await db
      .selectFrom('outbox_events')
      .selectAll()
      .where('organization_id', '=', scope.organizationId)
      .where('event_id', '=', row.event_id)
      .executeTakeFirst()
    return { ...presentDelivery(row), ...(event && { event: toEvent(event) }) }
  }

  /** Sends a made-up event to every channel now, once, also of an inactive webhook. */
  async test(
    scope: OrganizationScope,
    identifier: string,
    { event_type }: TestWebhookBody,
    signal: AbortSignal,
  ): Promise<TestWebhookResponse> {
    const webhook = await this.#options.webhooks.find(scope, identifier)
    const event = testEvent(webhook, event_type ?? webhook.event_types[0]!)
    const results = await Promise.all(
      webhook.channels.map((_, index) => this.#testChannel(webhook, index, event, signal)),
    )
    await inTransaction(this.#options.db, async (trx) => {
      await trx.insertInto('outbox_events').values(event).execute()
      await insertDeliveries(trx, results)
    })
    return {
      success: results.every(({ status }) => status === 'delivered'),
      event_id: event.event_id,
      results: results.map(presentDelivery),
    }
  }

  async #testChannel(
    webhook: WebhookRecord,
    index: number,
    row: ReturnType<typeof testEvent>,
    signal: AbortSignal,
  ): Promise<DeliveryRow> {
    const delivery = newDelivery(webhook, index, row) as DeliveryRow
    const event = toEvent({ ...row, event_seq: 0 })
    const message = messageOf(delivery, event, signal)
    const { outcome, attempt } = await tryDelivery(this.#options.sender, webhook.channels[index]!, message)
    return {
      ...delivery,
      status: outcome.is_success ? 'delivered' : 'failed',
      attempt_count: 1,
      attempts: withAttempt('[]', attempt),
      error: outcome.error ?? null,
      next_attempt_at: null,
      completed_at: timestamp(),
    }
  }

  /** Sends a delivery again, with its ids, from the first attempt on. Throws `webhook_inactive`. */
  async replay(scope: OrganizationScope, identifier: string, delivery_id: string): Promise<Delivery> {
    const { db, queue, webhooks } = this.#options
    const webhook = await webhooks.find(scope, identifier)
    const row = await inTransaction(db, async (trx) => {
      const found = await findDelivery(trx, scope, webhook.webhook_id, delivery_id)
      if (!found) throw deliveryNotFound(delivery_id)
      requireActive(webhook)
      await requeue(trx, scope, webhook.webhook_id, [delivery_id])
      await wakeDispatcher(trx, scope.organizationId)
      return (await findDelivery(trx, scope, webhook.webhook_id, delivery_id))!
    })
    queue.wake()
    return presentDelivery(row)
  }

  /** Sends everything of a time again, the oldest first. Throws `webhook_inactive`. */
  async replayRange(scope: OrganizationScope, identifier: string, body: ReplayBody): Promise<ReplayResponse> {
    const { db, queue, webhooks } = this.#options
    const webhook = await webhooks.find(scope, identifier)
    requireActive(webhook)
    let replayed = 0
    let has_more = true
    // In slices, so that no writer waits long; what was requeued matches no more.
    while (has_more && replayed < REPLAYED_MAX) {
      const found = await inTransaction(db, async (trx) => {
        const ids = await matching(trx, scope, webhook.webhook_id, body)
        if (ids.length === 0) return 0
        await requeue(trx, scope, webhook.webhook_id, ids)
        await wakeDispatcher(trx, scope.organizationId)
        return ids.length
      })
      replayed += found
      has_more = found === REPLAY_SLICE
    }
    queue.wake()
    return { replayed, has_more }
  }
}

async function matching(
  trx: Trx,
  { organizationId }: OrganizationScope,
  webhook_id: string,
  { since, until, statuses, event_types }: ReplayBody,
): Promise<string[]> {
  let query = trx
    .selectFrom('webhook_deliveries')
    .select('delivery_id')
    .where('organization_id', '=', organizationId)
    .where('webhook_id', '=', webhook_id)
    .where('status', 'in', statuses)
    .where('created_at', '>=', toTimestamp(parseInstant(since)!))
  if (until) query = query.where('created_at', '<', toTimestamp(parseInstant(until)!))
  if (event_types) query = query.where('event_type', 'in', event_types)
  const rows = await query.orderBy('created_at').orderBy('delivery_id').limit(REPLAY_SLICE).execute()
  return rows.map(({ delivery_id }) => delivery_id)
}

async function requeue(
  trx: Trx,
  { organizationId }: OrganizationScope,
  webhook_id: string,
  delivery_ids: readonly string[],
): Promise<void> {
  await trx
    .updateTable('webhook_deliveries')
    .set((eb) => ({
      status: 'pending',
      attempt_count: 0,
      replay_count: eb('replay_count', '+', 1),
      next_attempt_at: timestamp(),
      error: null,
      completed_at: null,
    }))
    .where('organization_id', '=', organizationId)
    .where('webhook_id', '=', webhook_id)
    .where('delivery_id', 'in', delivery_ids)
    .execute()
}

function testEvent({ organization_id, webhook_id }: WebhookRecord, event_type: string) {
  const now = timestamp()
  return {
    event_id: newId.event(),
    organization_id,
    namespace_id: '',
    event_type,
    occurred_at: now,
    subject: JSON.stringify({ type: 'webhook', id: webhook_id }),
    metadata: JSON.stringify({ test: true }),
    cache_scope: null,
    handed_over_at: now,
  }
}

function requireActive({ is_active }: WebhookRecord): void {
  if (!is_active) throw new KuraError('webhook_inactive')
}

const deliveryNotFound = (id: string) =>
  new KuraError('webhook_delivery_not_found', { resource: 'webhook_delivery', id })
