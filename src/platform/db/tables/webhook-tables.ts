import type { Generated } from 'kysely'
import type { Flag, Instant, Json } from './columns.ts'

/** Events on their way out. */
export type WebhookTables = {
  webhooks: {
    organization_id: string
    webhook_id: string
    webhook_name: string
    event_types: Json
    channels: Json
    is_active: Flag
    created_at: Instant
    updated_at: Instant
  }
  /** Events that are not yet handed to the deliveries of webhooks. */
  outbox_events: {
    event_seq: Generated<number>
    event_id: string
    organization_id: string
    namespace_id: string
    event_type: string
    occurred_at: Instant
    subject: Json
    metadata: Json
    cache_scope: Json | null
  }
}
