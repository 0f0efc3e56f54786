import Type from 'typebox'
import type { PageBounds } from '../../../core/pagination.ts'
import type { App } from '../../../http/app.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import {
  AuditEvent,
  AuditSettings,
  ListAuditQuery,
  ListAuditResponse,
  UpdateAuditSettingsBody,
} from './schemas.ts'
import type { AuditService } from './service.ts'

const ADMIN = { permission: 'admin', scope: 'organization' } as const
/** Older events are reached by `end`, not by ever longer offsets. */
const PAGING: PageBounds = { limit_default: 50, limit_max: 1000, offset_max: 100_000 }

export async function auditRoutes(app: App, { audit }: { audit: AuditService }) {
  app.get(
    '/organizations/audit/logs',
    {
      config: { ...ADMIN, paging: PAGING },
      schema: {
        operationId: 'list_audit_logs_v1_organizations_audit_logs_get',
        querystring: ListAuditQuery,
        response: { 200: ListAuditResponse, ...errorResponses },
      },
    },
    ({ scope, query, page }) => audit.list(scope, query, page),
  )
  app.get(
    '/organizations/audit/logs/:audit_id',
    {
      config: ADMIN,
      schema: {
        operationId: 'get_audit_log_v1_organizations_audit_logs__audit_id__get',
        params: Type.Object({ audit_id: Type.String() }),
        response: { 200: AuditEvent, ...errorResponses },
      },
    },
    ({ scope, params }) => audit.get(scope, params.audit_id),
  )
  app.get(
    '/organizations/audit/settings',
    {
      config: ADMIN,
      schema: {
        operationId: 'get_audit_settings_v1_organizations_audit_settings_get',
        response: { 200: AuditSettings, ...errorResponses },
      },
    },
    ({ scope }) => audit.settings(scope),
  )
  app.patch(
    '/organizations/audit/settings',
    {
      config: ADMIN,
      schema: {
        operationId: 'update_audit_settings_v1_organizations_audit_settings_patch',
        body: UpdateAuditSettingsBody,
        response: { 200: AuditSettings, ...errorResponses },
      },
    },
    ({ scope, body }) => audit.updateSettings(scope, body),
  )
}
