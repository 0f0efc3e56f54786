import type { FastifyRequest, onSendAsyncHookHandler } from 'fastify'
import type { AnsweredRequest } from '../core/answered-request.ts'
import type { App, RouteConfig } from './app.ts'

/** A read of a single resource. */
export type AuditedRead = { action: string; resource_type: string; resource_id: string }

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
    const hook: onSendAsyncHookHandler = async (request, reply, payload) => {
      if (request.caller?.auditsReads && reply.statusCode < 400)
        await auditRead(request, { ...read, resource_id: firstParameter(request) })
      return payload
    }
    route.onSend = [...[route.onSend ?? []].flat(), hook] as typeof route.onSend
  })
}

/** The id or name in the path; a search that nobody saved has none. */
const firstParameter = ({ params }: FastifyRequest): string =>
  Object.values((params ?? {}) as Record<string, string>)[0] ?? 'adhoc'
