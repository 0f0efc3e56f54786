import Type, { type Static } from 'typebox'
import { Nullable, optional } from '../../../core/schema.ts'

export const UsageQuery = Type.Object({ start: optional(Type.String()), end: optional(Type.String()) })
export type UsageQuery = Static<typeof UsageQuery>

const requests = {
  /** First and last day, both included. */
  start: Type.String(),
  end: Type.String(),
  total_requests: Type.Integer(),
  requests_by_category: Type.Record(Type.String(), Type.Integer()),
  errors: Type.Integer(),
  credits: Type.Object({ total: Type.Null(), used: Type.Integer(), remaining: Type.Null() }),
  by_day: Type.Array(Type.Object({ date: Type.String(), requests: Type.Integer(), errors: Type.Integer() })),
}

export const OrganizationUsage = Type.Object({
  ...requests,
  documents_written: Type.Integer(),
  objects_created: Type.Integer(),
  bytes_stored: Type.Integer(),
  compute_seconds: Type.Number(),
})
export type OrganizationUsage = Static<typeof OrganizationUsage>

export const KeyUsage = Type.Object({
  key_id: Type.String(),
  last_used_at: Nullable(Type.String()),
  ...requests,
  documents_written: Type.Null(),
  objects_created: Type.Null(),
  bytes_stored: Type.Null(),
  compute_seconds: Type.Null(),
})
export type KeyUsage = Static<typeof KeyUsage>

export const EndpointUsage = Type.Object({
  endpoint: Type.String(),
  requests: Type.Integer(),
  errors: Type.Integer(),
  avg_latency_ms: Type.Number(),
  p95_latency_ms: Type.Number(),
})
export type EndpointUsage = Static<typeof EndpointUsage>
