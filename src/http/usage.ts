import type { FastifyRequest, onSendAsyncHookHandler } from 'fastify'
import type { AnsweredRequest } from '../core/answered-request.ts'
import type { AuditedType } from './access.ts'
import type { App, RouteConfig } from './app.ts'

/** A read of a single resource, named as the path does: by id or, where that is possible, by name. */
export type AuditedRead = { action: string; resource_type: AuditedType; identifier: string | null }

type Options = {
  count(answered: AnsweredRequest): void
  auditRead(request: FastifyRequest, read: AuditedRead): Promise<void>
}

/**
 * Counts every request of a key, and has reads of single resources written down where the organization
 * wants it. MUST be called before any route is registered, after the decisions about routes.
 */
export function registerUsage(app: App, { count, auditRead }: Options): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { access } = request.routeOptions.config
    const { caller } = request
    if (caller && access)
      count({
        organization_id: caller.organizationId,
        key_id: caller.keyId,
        endpoint: access.endpoint,
        category: access.category,
        is_error: reply.statusCode >= 400,
        latency_ms: reply.elapsedTime,
      })
    done()
  })
  // Only routes that can be audited get the hook: all others would pay for it too.
  app.addHook('onRoute', (route) => {
    const read = (route.config as RouteConfig | undefined)?.access?.read_action
    if (!read) return
    const { action, resource_type, parameter } = read
    const hook: onSendAsyncHookHandler = async (request, reply, payload) => {
      if (request.caller?.auditsReads && reply.statusCode < 400)
        await auditRead(request, { action, resource_type, identifier: parameterOf(request, parameter) })
      return payload
    }
    route.onSend = [...[route.onSend ?? []].flat(), hook] as typeof route.onSend
  })
}

const parameterOf = ({ params }: FastifyRequest, name: string | null): string | null =>
  name === null ? null : ((params as Record<string, string>)[name] ?? null)
