import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, optional, Timestamp } from '../../core/schema.ts'
import { EventType } from './schemas.ts'

export const DeliveryStatus = Type.Enum(['pending', 'delivered', 'failed', 'canceled'])
export type DeliveryStatus = Static<typeof DeliveryStatus>

/** One try, as the log keeps it. */
export const Attempt = Type.Object(
  {
    started_at: Timestamp,
    duration_ms: Type.Integer(),
    is_success: Type.Boolean(),
    response_status: Type.Optional(Type.Integer()),
    /** The begin of what the receiver answered. */
    response_excerpt: Type.Optional(Type.String()),
    error: Type.Optional(Type.String()),
  },
  { $id: 'WebhookAttempt' },
)
export type Attempt = Static<typeof Attempt>

export const Delivery = Type.Object(
  {
    delivery_id: Type.String(),
    webhook_id: Type.String(),
    channel: Type.String(),
    channel_index: Type.Integer(),
    event_id: Type.String(),
    event_type: Type.String(),
    status: DeliveryStatus,
    attempt_count: Type.Integer(),
    replay_count: Type.Integer(),
    next_attempt_at: Type.Optional(Timestamp),
    error: Type.Optional(Type.String()),
    created_at: Timestamp,
    completed_at: Type.Optional(Timestamp),
    attempts: Type.Array(Attempt),
  },
  { $id: 'WebhookDelivery' },
)
export type Delivery = Static<typeof Delivery>

export const DeliveryDetail = Type.Object(
  { ...Delivery.properties, event: Type.Optional(FreeObject) },
  { $id: 'WebhookDeliveryDetail' },
)
export type DeliveryDetail = Static<typeof DeliveryDetail>

export const ListDeliveriesQuery = Type.Object({
  status: Type.Optional(DeliveryStatus),
  event_type: Type.Optional(EventType),
  event_id: Type.Optional(Type.String()),
})
export type ListDeliveriesQuery = Static<typeof ListDeliveriesQuery>

export const ListDeliveriesResponse = Type.Object(
  { results: Type.Array(Delivery), pagination: Pagination },
  { $id: 'ListWebhookDeliveriesResponse' },
)
export type ListDeliveriesResponse = Static<typeof ListDeliveriesResponse>

export const TestWebhookBody = Type.Object(
  { event_type: Type.Optional(EventType) },
  { $id: 'TestWebhookRequest' },
)
export type TestWebhookBody = Static<typeof TestWebhookBody>

export const TestWebhookResponse = Type.Object(
  { success: Type.Boolean(), event_id: Type.String(), results: Type.Array(Delivery) },
  { $id: 'TestWebhookResponse' },
)
export type TestWebhookResponse = Static<typeof TestWebhookResponse>

export const ReplayBody = Type.Object(
  {
    /** Deliveries made at or after this instant, and before the other. */
    since: Timestamp,
    until: optional(Timestamp),
    statuses: Defaulted(Type.Array(Type.Enum(['delivered', 'failed', 'canceled']), { minItems: 1 }), [
      'failed',
      'canceled',
    ]),
    event_types: Type.Optional(Type.Array(EventType, { minItems: 1, maxItems: 100 })),
  },
  { $id: 'ReplayWebhookRequest' },
)
export type ReplayBody = Static<typeof ReplayBody>

export const ReplayResponse = Type.Object(
  {
    replayed: Type.Integer(),
    /** More deliveries match than one call replays: call again. */
    has_more: Type.Boolean(),
  },
  { $id: 'ReplayWebhookResponse' },
)
export type ReplayResponse = Static<typeof ReplayResponse>
