import { connect, type LookupFunction, type Socket } from 'node:net'
import { KuraError } from '../../core/errors.ts'
import { type AllowList, parseAllowList } from './addresses.ts'
import { checkUrl, guardedLookup, type Resolve, systemResolve } from './guard.ts'

/**
 * The rules of outbound connections for clients that open their own: an SDK, a database, SSH. What
 * speaks plain HTTP uses HttpClient instead. Refused destinations throw `url_not_allowed`.
 */
export class OutboundGuard {
  readonly #allowed: AllowList
  readonly #resolve: Resolve

  constructor({
    allowed_private_hosts,
    resolve = systemResolve,
  }: {
    allowed_private_hosts: string
    resolve?: Resolve
  }) {
    this.#allowed = parseAllowList(allowed_private_hosts)
    this.#resolve = resolve
  }

  /** Scheme, credentials and literal addresses of an http(s) URL; names are checked when they are looked up. */
  checkUrl(url: URL): void {
    checkUrl(url, this.#allowed)
  }

  /** The name look-up to give to a client that connects by itself to this port. */
  lookup(port: number): LookupFunction {
    return guardedLookup(port, this.#allowed, this.#resolve)
  }

  /** A connected TCP socket to a host that is allowed, for protocols other than HTTP. */
  async connect(host: string, port: number, { timeout_ms }: { timeout_ms: number }): Promise<Socket> {
    const literal = host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host
    const url = URL.parse(`http://${literal}:${port}`)
    if (url?.pathname !== '/')
      throw new KuraError('connection_failed', { reason: 'the host is not a name or address.' })
    this.checkUrl(url)
    // The URL parser has turned octal and hexadecimal forms into the address that was checked.
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port, lookup: this.lookup(port), timeout: timeout_ms })
      socket.once('timeout', () =>
        socket.destroy(new Error('The server did not accept the connection in time.')),
      )
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.setTimeout(0)
        socket.off('error', reject)
        resolve(socket)
      })
    })
  }
}
