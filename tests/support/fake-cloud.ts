import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Node = {
  id: string
  name: string
  parent: string | null
  content: Buffer | null
  changed_at: string
}

/** The tree of a cloud drive: nodes have ids, folders no content. */
export class CloudTree {
  readonly nodes = new Map<string, Node>([['top', folderNode('top', 'root', null)]])
  #next = 1
  #clock_ms = Date.parse('2026-01-02T03:04:05.000Z')

  /** Makes or changes a file, with the folders above it; a slash at the end makes a folder only. */
  put(path: string, content: string | Uint8Array): Node {
    const segments = path.split('/')
    const name = segments.pop()!
    let parent = 'top'
    for (const segment of segments)
      parent = (this.child(parent, segment) ?? this.#add(segment, parent, null)).id
    if (name === '') return this.nodes.get(parent)!
    const found = this.child(parent, name)
    const changed_at = this.#tick()
    if (found) return Object.assign(found, { content: Buffer.from(content), changed_at })
    return this.#add(name, parent, Buffer.from(content))
  }

  remove(path: string): void {
    this.nodes.delete(this.at(path)!.id)
  }

  child(parent: string, name: string): Node | undefined {
    return this.children(parent).find((node) => node.name === name)
  }

  children(parent: string): Node[] {
    return [...this.nodes.values()].filter((node) => node.parent === parent)
  }

  at(path: string): Node | undefined {
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .reduce<Node | undefined>((at, name) => at && this.child(at.id, name), this.nodes.get('top'))
  }

  #add(name: string, parent: string, content: Buffer | null): Node {
    const node = { id: `id-${this.#next++}`, name, parent, content, changed_at: this.#tick() }
    this.nodes.set(node.id, node)
    return node
  }

  #tick(): string {
    this.#clock_ms += 1000
    return new Date(this.#clock_ms).toISOString()
  }
}

const folderNode = (id: string, name: string, parent: string | null): Node => ({
  id,
  name,
  parent,
  content: null,
  changed_at: '2026-01-01T00:00:00.000Z',
})

export type CloudServer = {
  port: number
  url: string
  /** Method and path of every request, in order. */
  seen: string[]
  /** Answers the next requests with these statuses instead, first come first served. */
  refuse: { status: number; headers?: Record<string, string>; body?: object }[]
  close(): Promise<void>
}

export type Asked = { url: URL; body: string; headers: IncomingMessage['headers']; method: string }

/** A local HTTP server; `answer` does what the cloud does. */
export async function startCloudServer(
  answer: (asked: Asked, response: ServerResponse) => void,
): Promise<CloudServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const url = new URL(request.url!, cloud.url)
      cloud.seen.push(`${request.method} ${url.pathname}`)
      const refusal = url.pathname.includes('token') ? undefined : cloud.refuse.shift()
      if (refusal) {
        response.writeHead(refusal.status, refusal.headers)
        return void response.end(refusal.body && JSON.stringify(refusal.body))
      }
      const body = Buffer.concat(chunks).toString()
      answer({ url, body, headers: request.headers, method: request.method! }, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const cloud: CloudServer = {
    port,
    url: `http://127.0.0.1:${port}`,
    seen: [],
    refuse: [],
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return cloud
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** The bytes of a file, whole or the part that `Range` asks for. */
export function sendBytes(response: ServerResponse, content: Buffer, range: string | undefined): void {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  if (first === undefined) {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': content.length })
    return void response.end(content)
  }
  const end = last ? Number(last) + 1 : content.length
  const part = content.subarray(Number(first), end)
  response.writeHead(206, {
    'content-length': part.length,
    'content-range': `bytes ${first}-${end - 1}/${content.length}`,
  })
  response.end(part)
}
