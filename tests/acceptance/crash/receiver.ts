import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type ReceivedEvent = {
  event_id: string
  event_type: string
  subject: { type: string; id: string }
  metadata: Record<string, unknown>
}

/** A webhook receiver of the kind that the documentation asks for: it knows events again by their id. */
export class Receiver {
  /** Different events, by id. */
  readonly events = new Map<string, ReceivedEvent>()
  deliveries = 0
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    // A worker that is killed half-way through sends no whole event.
    request.on('error', () => undefined)
    request.on('end', () => {
      const event = JSON.parse(Buffer.concat(chunks).toString()) as ReceivedEvent
      this.events.set(event.event_id, event)
      this.deliveries++
      response.writeHead(204).end()
    })
  })

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/events`
  }

  stop(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** The events of one type. */
  of(event_type: string): ReceivedEvent[] {
    return [...this.events.values()].filter((event) => event.event_type === event_type)
  }
}
