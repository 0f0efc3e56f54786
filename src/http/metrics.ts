import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import type { App } from './app.ts'

/** `GET /metrics` in the Prometheus text format: requests by route and status, and the process itself. */
export function registerMetrics(app: App): void {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'kura_' })
  const labelNames = ['method', 'route', 'status'] as const
  const requests = new Counter({
    name: 'kura_http_requests_total',
    help: 'HTTP requests.',
    labelNames,
    registers: [registry],
  })
  const duration_seconds = new Histogram({
    name: 'kura_http_request_duration_seconds',
    help: 'Time to answer an HTTP request.',
    labelNames: ['route'] as const,
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  })
  app.addHook('onResponse', async (request, reply) => {
    // The pattern, not the path: ids in a label would make a time series each.
    const route = request.routeOptions.url ?? 'none'
    requests.inc({ method: request.method, route, status: String(reply.statusCode) })
    duration_seconds.observe({ route }, reply.elapsedTime / 1000)
  })
  app.get('/metrics', { config: { hidden: true } }, async (_request, reply) =>
    reply.type(registry.contentType).send(await registry.metrics()),
  )
}
