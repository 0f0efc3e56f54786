import cors from '@fastify/cors'
import Fastify, {
  type FastifyBaseLogger,
  type FastifyRequest,
  type FastifyServerOptions,
  LogController,
} from 'fastify'
import { newId } from './core/ids.ts'
import { timestamp } from './core/time.ts'
import { VERSION } from './core/version.ts'
import type { Deps } from './deps.ts'
import { registerAccess } from './http/access.ts'
import type { App } from './http/app.ts'
import { registerAuth } from './http/auth.ts'
import { registerBodyParser } from './http/body.ts'
import { refuseUnroutable, registerErrorHandler } from './http/error-handler.ts'
import { registerMetrics } from './http/metrics.ts'
import { registerRateLimit } from './http/rate-limit.ts'
import { referenceRoutes } from './http/reference.ts'
import { collectRoutes } from './http/route-table.ts'
import { limitSlowRequests } from './http/slow-requests.ts'
import { refuseUnreadable } from './http/unreadable-request.ts'
import { registerUsage } from './http/usage.ts'
import { actorOf, COMPILERS, registerValidation } from './http/validation.ts'
import { recordAudit } from './platform/audit/audit-log.ts'
import { Refusals } from './platform/audit/refusals.ts'
import { batchRoutes } from './resources/batches/index.ts'
import { bucketRoutes } from './resources/buckets/index.ts'
import { collectionRoutes } from './resources/collections/index.ts'
import { connectionRoutes } from './resources/connections/index.ts'
import { documentRoutes, lineageRoutes } from './resources/documents/index.ts'
import { fileRoutes, ownerOf } from './resources/files/index.ts'
import { healthRoutes } from './resources/health/index.ts'
import { namespaceRoutes } from './resources/namespaces/index.ts'
import { objectRoutes } from './resources/objects/index.ts'
import {
  findCaller,
  organizationsRoutes,
  resourceId,
  scopedResources,
} from './resources/organizations/index.ts'
import { retrieverRoutes } from './resources/retrievers/index.ts'
import { sourceAdapterRoutes } from './resources/source-adapters/index.ts'
import { syncRoutes } from './resources/syncs/index.ts'
import { taskRoutes } from './resources/tasks/index.ts'
import { tusRoutes, uploadPutRoutes, uploadRoutes } from './resources/uploads/index.ts'
import { webhookRoutes } from './resources/webhooks/index.ts'

/** Headers beyond the simple ones that browsers may read (contract, transport). */
const EXPOSED_HEADERS = [
  'ETag',
  'X-Request-Id',
  'Retry-After',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'X-RateLimit-Window',
]

/** The HTTP server with every route, not listening. */
export async function buildApp(deps: Deps): Promise<App> {
  const { config, db, logger } = deps
  const app = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // Requests are counted in /metrics; a line each would cost more than a small answer does.
    logController: new LogController({ disableRequestLogging: true }),
    // A logger a request costs more than it is worth: what is logged names the request itself.
    childLoggerFactory: (parent) => parent,
    schemaController: COMPILERS,
    bodyLimit: config.body_limit_bytes,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    genReqId: (request) => requestId(request.headers['x-request-id']),
    exposeHeadRoutes: false,
    frameworkErrors: refuseUnroutable as FastifyServerOptions['frameworkErrors'],
    clientErrorHandler: refuseUnreadable,
    forceCloseConnections: 'idle',
    trustProxy: config.trusted_proxies === '' ? false : config.trusted_proxies,
  }) as unknown as App

  registerAccess(app)
  const routes = collectRoutes(app)
  app.decorate('routeTable', routes)
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done()
  })
  const origins = config.cors_origins.split(',').filter(Boolean)
  const allowBrowsers = (scope: App) =>
    scope.register(cors, { origin: origins, exposedHeaders: EXPOSED_HEADERS })
  if (origins.length > 0) await allowBrowsers(app)
  limitSlowRequests(app)
  registerBodyParser(app)
  const refusals = new Refusals({ db })
  registerErrorHandler(app, {
    routes,
    onRefused: (request) =>
      refusals.record(
        organizationOf(request),
        request.routeOptions.config.access!.endpoint,
        request.url.split('?')[0]!,
      ),
  })
  registerMetrics(app)
  authorizeRequests(app, deps)

  await app.register(referenceRoutes, { routes, version: VERSION })
  await app.register(
    async (v1: App) => {
      await v1.register(healthRoutes, deps)
      await v1.register(bucketRoutes, deps)
      await v1.register(objectRoutes, deps)
      await v1.register(connectionRoutes, deps)
      await v1.register(syncRoutes, deps)
      await v1.register(async (scope: App) => {
        // With no origin configured only files answer browsers, and no other request pays for it.
        if (origins.length === 0) await allowBrowsers(scope)
        await scope.register(fileRoutes, deps)
        await scope.register(uploadPutRoutes, {
          uploads: deps.uploads,
          ownerOf: (namespace_id) => ownerOf(db, namespace_id),
        })
      })
      await v1.register(collectionRoutes, deps)
      await v1.register(documentRoutes, deps)
      await v1.register(lineageRoutes, deps)
      await v1.register(namespaceRoutes, deps)
      await v1.register(organizationsRoutes, deps)
      await v1.register(retrieverRoutes, deps)
      await v1.register(batchRoutes, deps)
      await v1.register(taskRoutes, deps)
      await v1.register(uploadRoutes, deps)
      await v1.register(tusRoutes, deps)
      await v1.register(webhookRoutes, deps)
      await v1.register(sourceAdapterRoutes, deps)
    },
    { prefix: '/v1' },
  )
  return app
}

/** Who may do what, how often, and what is written down about it. */
function authorizeRequests(app: App, { config, db, callers, namespaceLookup, usage }: Deps): void {
  const { rate_limit_per_minute } = config
  registerAuth(app, {
    findCaller: (key_hash) => findCaller(db, key_hash, timestamp(), rate_limit_per_minute),
    callers,
    failures_per_minute: config.wrong_keys_per_minute,
  })
  registerRateLimit(app)
  registerUsage(app, {
    count: (answered) => usage.count(answered),
    async auditRead({ scope }, { action, resource_type, identifier }) {
      // A search that nobody saved has neither id nor name.
      const resource_id =
        identifier === null ? 'adhoc' : await resourceId(db, scope, resource_type, identifier)
      await recordAudit(db, scope, { action, resource_type, resource_id })
    },
  })
  registerValidation(app, { namespaces: namespaceLookup, resources: scopedResources(db) })
}

const organizationOf = (request: FastifyRequest) => ({
  organizationId: request.caller.organizationId,
  actor: actorOf(request),
})

/** A client's own id when it is harmless to log and to echo. */
function requestId(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,128}$/.test(header) ? header : newId.request()
}
