import type { Generated } from 'kysely'
import type { Flag, Instant, Json } from './columns.ts'

/** Events on their way out, and events that come in for source adapters. */
export type WebhookTables = {
  webhooks: {
    organization_id: string
    webhook_id: string
    webhook_name: string
    event_types: Json
    /** JSON sealed by SecretBox: URLs, headers and secrets are all credentials. */
    channels_sealed: string
    is_active: Flag
    /** Why the server itself switched it off. */
    inactive_reason: string | null
    /** Deliveries given up since the last one that arrived, and when the trouble began. */
    failed_deliveries: number
    failing_since: Instant | null
    created_at: Instant
    updated_at: Instant
  }
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
    /** When it was given to the deliveries of webhooks; null: not yet. */
    handed_over_at: Instant | null
  }
  /** One event for one channel of one webhook. */
  webhook_deliveries: {
    organization_id: string
    delivery_id: string
    webhook_id: string
    channel_index: number
    channel: string
    event_id: string
    event_type: string
    status: 'pending' | 'delivered' | 'failed' | 'canceled'
    /** Since the event, or since the last replay. */
    attempt_count: number
    replay_count: number
    next_attempt_at: Instant | null
    /** The last attempts, oldest first. */
    attempts: Json
    error: string | null
    created_at: Instant
    completed_at: Instant | null
  }
  webhook_dispatchers: { organization_id: string; job_id: string | null; wake_at: Instant | null }
  source_adapters: {
    namespace_id: string
    bucket_id: string
    organization_id: string
    /** JSON sealed by SecretBox. */
    config_sealed: string
    updated_at: Instant
  }
  /** What came in, one row a changed file or item; the key is what makes the same event known again. */
  source_adapter_events: {
    namespace_id: string
    bucket_id: string
    event_key: string
    event_id: string
    action: 'put' | 'remove'
    source_key: string | null
    sequencer: string | null
    status: 'pending' | 'processed' | 'ignored' | 'failed'
    attempt_count: number
    object_id: string | null
    error: string | null
    item: Json
    received_at: Instant
    updated_at: Instant
  }
  source_adapter_objects: {
    namespace_id: string
    bucket_id: string
    source_key: string
    /** Null after the file was removed. */
    object_id: string | null
    sequencer: string | null
    updated_at: Instant
  }
}
