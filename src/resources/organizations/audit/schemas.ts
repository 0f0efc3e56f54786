import Type, { type Static } from 'typebox'
import { Defaulted, optional, Timestamp } from '../../../core/schema.ts'

export const AuditEvent = Type.Object(
  {
    audit_id: Type.String(),
    timestamp: Timestamp,
    resource_type: Type.String(),
    resource_id: Type.String(),
    action: Type.String(),
    actor_id: Type.String(),
    actor_type: Type.String(),
    status: Type.String(),
    changes: Type.Optional(Type.Unknown()),
    ip_address: optional(Type.String()),
    user_agent: optional(Type.String()),
  },
  { $id: 'AuditEventResponse' },
)
export type AuditEvent = Static<typeof AuditEvent>

export const ListAuditQuery = Type.Object({
  resource_type: optional(Type.String()),
  resource_id: optional(Type.String()),
  actor_id: optional(Type.String()),
  action: optional(Type.String()),
  status: optional(Type.Enum(['success', 'failure'])),
  start: optional(Timestamp),
  end: optional(Timestamp),
})
export type ListAuditQuery = Static<typeof ListAuditQuery>

export const ListAuditResponse = Type.Object(
  { results: Type.Array(AuditEvent), total: Type.Integer(), skip: Type.Integer(), limit: Type.Integer() },
  { $id: 'AuditEventListResponse' },
)
export type ListAuditResponse = Static<typeof ListAuditResponse>

export const AuditSettings = Type.Object(
  { read_auditing_enabled: Defaulted(Type.Boolean(), false) },
  { $id: 'AuditSettings' },
)
export type AuditSettings = Static<typeof AuditSettings>

export const UpdateAuditSettingsBody = Type.Object(
  { read_auditing_enabled: optional(Type.Boolean()) },
  { $id: 'AuditSettingsUpdateRequest' },
)
export type UpdateAuditSettingsBody = Static<typeof UpdateAuditSettingsBody>
