import type { ColumnType, Generated } from 'kysely'
import type { Instant, Json } from './columns.ts'

/** Upper bounds, in milliseconds, of the counts that a percentile is read from; the last column has none. */
export const LATENCY_BOUNDS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000] as const
export const LATENCY_COLUMNS = [
  'ms_1',
  'ms_2',
  'ms_5',
  'ms_10',
  'ms_25',
  'ms_50',
  'ms_100',
  'ms_250',
  'ms_500',
  'ms_1000',
  'ms_2500',
  'ms_10000',
  'ms_more',
] as const
export type LatencyColumn = (typeof LATENCY_COLUMNS)[number]

/** What belongs to an organization as a whole. */
export type OrganizationTables = {
  organizations: {
    organization_id: string
    internal_id: string
    organization_name: string
    logo_url: string | null
    billing_email: string | null
    metadata: Json
    /** Requests a minute by category; null: those of the configuration. */
    rate_limits: Json | null
    audits_reads: ColumnType<number, number | undefined, number>
    created_at: Instant
    updated_at: Instant
  }
  users: {
    user_id: string
    organization_id: string
    /** In lower case. */
    email: string
    user_name: string
    avatar_url: string | null
    role: string
    status: string
    metadata: Json
    created_at: Instant
    updated_at: Instant
  }
  api_keys: {
    key_id: string
    organization_id: string
    /** Null: a key of the server itself. */
    user_id: string | null
    key_hash: string
    key_prefix: string
    name: string
    description: Generated<string>
    permissions: Json
    scopes: Json
    status: string
    rate_limit_override: number | null
    allowed_origins: Json | null
    expires_at: Instant | null
    last_used_at: Instant | null
    created_at: Instant
    created_by: string | null
    updated_at: Instant
    revoked_at: Instant | null
    revoked_by: string | null
    /** The key that a rotation with overlap has put in its place. */
    replaced_by: string | null
  }
  secrets: {
    organization_id: string
    secret_name: string
    sealed: string
    created_at: Instant
    updated_at: Instant
  }
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
  /** One row a day, key and route. `endpoint` is the method and the pattern of the path. */
  usage_days: {
    organization_id: string
    day: string
    key_id: string
    endpoint: string
    category: string
    requests: number
    errors: number
    latency_ms_sum: number
  } & Record<LatencyColumn, number>
}
