import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export type Received = {
  method: string
  path: string
  headers: IncomingHttpHeaders
  raw: string
  // biome-ignore lint/suspicious/noExplicitAny: what arrives is what the test looks into.
  body: any
}

/** What the receiver does with a request, by default 200 with a short text. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void

export const answer =
  (status: number, headers: Record<string, string> = {}, text = 'ok'): Behaviour =>
  (_request, response) =>
    void response.writeHead(status, headers).end(text)

/** Sends more than anybody wants to read, as fast as it is taken, and counts what was taken. */
export function flood(status: number, declared_bytes: number, sent: { bytes: number }): Behaviour {
  return (_request, response) => {
    response.writeHead(status, { 'content-length': String(declared_bytes) })
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const pump = () => {
      while (sent.bytes < declared_bytes && !response.destroyed) {
        sent.bytes += chunk.byteLength
        if (!response.write(chunk)) return void response.once('drain', pump)
      }
    }
    pump()
  }
}

/** A real HTTP server that receives webhooks and behaves as the test says. */
export async function webhookReceiver() {
  const received: Received[] = []
  const behaviours = new Map<string, Behaviour>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const raw = Buffer.concat(chunks).toString('utf8')
      received.push({ method, path, headers, raw, body: raw === '' ? undefined : JSON.parse(raw) })
      const behave = behaviours.get(path) ?? answer(200)
      behave(request, response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    port,
    received,
    url: (path: string) => `http://127.0.0.1:${port}${path}`,
    /** How requests to a path are treated from now on. */
    on(path: string, behaviour: Behaviour) {
      behaviours.set(path, behaviour)
    },
    at: (path: string) => received.filter((one) => one.path === path),
    async arrived(count: number, path?: string, timeout_ms = 10_000): Promise<Received[]> {
      const until = Date.now() + timeout_ms
      for (;;) {
        const found = path === undefined ? received : received.filter((one) => one.path === path)
        if (found.length >= count || Date.now() > until) return found
        await sleep(10)
      }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export type WebhookReceiver = Awaited<ReturnType<typeof webhookReceiver>>
