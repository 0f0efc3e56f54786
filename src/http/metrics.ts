import type { Counter, Histogram, Registry } from 'prom-client'
import type { App } from './app.ts'

type Observation = { method: string; route: string; status: string; duration_seconds: number }

type Meters = {
  registry: Registry
  requests: Counter<'method' | 'route' | 'status'>
  durations: Histogram<'route'>
  /** Looking a series up by its labels costs more than counting in it. */
  series: Map<string, { count: Counter.Internal; time: Histogram.Internal<'route'> }>
}

/** Observations kept until the library is there; it is loaded by then in any normal start. */
const WAITING_MAX = 10_000

/** `GET /metrics` in the Prometheus text format: requests by route and status, and the process itself. */
export function registerMetrics(app: App): void {
  let meters: Meters | undefined
  let loading: Promise<Meters> | undefined
  const waiting: Observation[] = []
  // Loaded after the server listens: the first answers need not wait 50 ms for it.
  const load = () => {
    loading ??= createMeters().then((created) => {
      for (const one of waiting.splice(0)) observe(created, one)
      meters = created
      return created
    })
    return loading
  }
  app.addHook('onListen', async () => void load())
  app.addHook('onResponse', (request, reply, done) => {
    // The pattern, not the path: ids in a label would make a time series each.
    const route = request.routeOptions.url ?? 'none'
    const one = {
      method: request.method,
      route,
      status: String(reply.statusCode),
      duration_seconds: reply.elapsedTime / 1000,
    }
    if (meters) observe(meters, one)
    else if (waiting.length < WAITING_MAX) waiting.push(one)
    done()
  })
  app.get('/metrics', { config: { hidden: true } }, async (_request, reply) => {
    const { registry } = await load()
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}

function observe(
  { requests, durations, series }: Meters,
  { method, route, status, duration_seconds }: Observation,
): void {
  const key = `${method} ${status} ${route}`
  let one = series.get(key)
  if (!one) {
    one = { count: requests.labels({ method, route, status }), time: durations.labels({ route }) }
    series.set(key, one)
  }
  one.count.inc()
  one.time.observe(duration_seconds)
}

async function createMeters(): Promise<Meters> {
  const { collectDefaultMetrics, Counter, Histogram, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'kura_' })
  return {
    registry,
    series: new Map(),
    requests: new Counter({
      name: 'kura_http_requests_total',
      help: 'HTTP requests.',
      labelNames: ['method', 'route', 'status'] as const,
      registers: [registry],
    }),
    durations: new Histogram({
      name: 'kura_http_request_duration_seconds',
      help: 'Time to answer an HTTP request.',
      labelNames: ['route'] as const,
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
      registers: [registry],
    }),
  }
}
