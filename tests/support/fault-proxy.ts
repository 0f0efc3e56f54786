import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What to do with a request instead of passing it on; undefined passes it on. */
export type Fault =
  /** The connection breaks before the answer. */
  | { kind: 'drop' }
  /** It reaches the server, but the answer never arrives. */
  | { kind: 'lose_answer' }
  | { kind: 'answer'; status: number; body?: string }
  /** The connection breaks after this much of the answer. */
  | { kind: 'cut'; after_bytes: number }
  | undefined

export type SeenRequest = { method: string; url: string; headers: IncomingMessage['headers'] }

export type FaultProxy = {
  url: string
  /** Every request so far, also those that failed. */
  seen: SeenRequest[]
  /** Decides about each request; passes everything on until it is set. */
  fault: (request: SeenRequest) => Fault
  close(): Promise<void>
}

/** Stands between a client and a real server, looks at what passes, and breaks what it is told to break. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  const server = createServer((incoming, answer) => {
    const one = { method: incoming.method!, url: incoming.url!, headers: incoming.headers }
    proxy.seen.push(one)
    const fault = proxy.fault(one)
    if (fault?.kind === 'drop') return void incoming.socket.destroy()
    if (fault?.kind === 'answer') {
      incoming.resume()
      answer.writeHead(fault.status, { 'content-type': 'application/xml' }).end(fault.body)
      return
    }
    // The host stays as the client sent it: the signature covers it.
    const outgoing = request({ hostname, port, method: one.method, path: one.url, headers: one.headers })
    incoming.pipe(outgoing)
    outgoing.on('response', (response) => pass(response, answer, fault))
    outgoing.on('error', () => incoming.socket.destroy())
    answer.on('close', () => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    fault: () => undefined,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return proxy
}

function pass(response: IncomingMessage, answer: ServerResponse, fault: Fault): void {
  if (fault?.kind === 'lose_answer') {
    response.resume().on('end', () => answer.destroy())
    return
  }
  answer.writeHead(response.statusCode!, response.headers)
  let passed = 0
  response.on('data', (chunk: Buffer) => {
    if (fault?.kind !== 'cut') return void answer.write(chunk)
    answer.write(chunk.subarray(0, Math.max(0, fault.after_bytes - passed)))
    passed += chunk.byteLength
    if (passed >= fault.after_bytes) setTimeout(() => answer.destroy(), 10)
  })
  response.on('end', () => answer.end())
}
