import type { Instant, Json } from './columns.ts'

/** What belongs to an organization as a whole. */
export type OrganizationTables = {
  /** Append-only. */
  audit_events: {
    organization_id: string
    audit_id: string
    timestamp: Instant
    action: string
    resource_type: string
    resource_id: string
    actor_id: string
    actor_type: string
    status: string
    changes: Json | null
    ip_address: string | null
    user_agent: string | null
  }
}
