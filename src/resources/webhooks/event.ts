import type { Selectable } from 'kysely'
import type { Schema } from '../../platform/db/schema.ts'

type Row = Selectable<Schema['outbox_events']>

/** What a receiver gets (contract, webhooks). */
export type WebhookEvent = {
  event_id: string
  event_type: string
  occurred_at: string
  organization_id: string
  namespace_id: string
  subject: Record<string, unknown>
  metadata: Record<string, unknown>
  cache_scope?: Record<string, unknown>
}

export function toEvent(row: Row): WebhookEvent {
  const { event_id, event_type, occurred_at, organization_id, namespace_id } = row
  return {
    event_id,
    event_type,
    occurred_at,
    organization_id,
    namespace_id,
    subject: JSON.parse(row.subject),
    metadata: JSON.parse(row.metadata),
    ...(row.cache_scope !== null && { cache_scope: JSON.parse(row.cache_scope) }),
  }
}
