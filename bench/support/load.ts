import autocannon from 'autocannon'
import { percentile } from './statistics.ts'
import { usageOf } from './usage.ts'

export type LoadOptions = {
  url: string
  method?: 'GET' | 'POST'
  headers?: Record<string, string>
  /** Bodies in turn; a function makes the n-th one when it is sent. */
  bodies?: readonly string[] | ((n: number) => string)
  clients: number
  seconds: number
  /** The server's process, to count the CPU time of an answer. */
  pid?: number
}

export type Load = {
  /** Answers per second. */
  rate: number
  p50_ms: number
  p95_ms: number
  p99_ms: number
  answers: number
  /** CPU time of the server and its children per answer; independent of what else the machine does. NaN without `pid`. */
  cpu_ms: number
  /** Answers outside 200 to 299, and connections that broke. */
  failures: number
}

/** Keeps `clients` connections busy, each with one request at a time, and times every answer. */
export async function load(options: LoadOptions): Promise<Load> {
  const { url, method = 'POST', headers = {}, bodies = [], clients, seconds, pid } = options
  let sent = 0
  const body = () => (typeof bodies === 'function' ? bodies(sent++) : (bodies[sent++ % bodies.length] ?? ''))
  const cpu_s = () => (pid === undefined ? Number.NaN : (usageOf(pid)?.cpu_s ?? Number.NaN))
  const before_s = cpu_s()
  const latencies_ms: number[] = []
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url,
        method,
        headers: { ...headers, ...(method === 'POST' && { 'content-type': 'application/json' }) },
        connections: clients,
        duration: seconds,
        ...(method === 'POST' && {
          requests: [{ method, setupRequest: (request: object) => ({ ...request, body: body() }) }],
        }),
      },
      (error, outcome) => (error ? reject(error) : resolve(outcome)),
    )
    // Its own histogram counts whole milliseconds and has no 95th percentile.
    instance.on('response', (_client, _status, _bytes, time_ms) => latencies_ms.push(time_ms))
  })
  return {
    rate: latencies_ms.length / result.duration,
    p50_ms: percentile(latencies_ms, 0.5),
    p95_ms: percentile(latencies_ms, 0.95),
    p99_ms: percentile(latencies_ms, 0.99),
    answers: latencies_ms.length,
    cpu_ms: ((cpu_s() - before_s) * 1000) / latencies_ms.length,
    failures: result.non2xx + result.errors + result.timeouts,
  }
}
