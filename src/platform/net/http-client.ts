import { pipeline, Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Agent } from 'undici'
import { KuraError } from '../../core/errors.ts'
import { type AllowList, parseAllowList } from './addresses.ts'
import { checkUrl, guardedLookup, portOf, type Resolve, refused, systemResolve } from './guard.ts'

const REDIRECTS_MAX = 5
/** Time for the connection and the answer's headers, each; the body has the request's own limit. */
const CONNECT_TIMEOUT_MS = 10_000
const HEADERS_TIMEOUT_MS = 30_000
/** A slow name server must not hold up who saves an address. */
const CHECK_TIMEOUT_MS = 3000
/** A server that sends nothing for this long is given up. */
const IDLE_TIMEOUT_MS = 30_000
const CONNECTIONS_PER_HOST_MAX = 8
/** Redirect pages are read up to this size so that their connection can be used again. */
const DISCARDED_BODY_BYTES_MAX = 64 * 1024

/** Headers that prove who we are: they must not follow a redirect to another host. */
const CREDENTIAL_HEADERS = ['authorization', 'cookie', 'proxy-authorization', 'x-api-key']

export type OutboundRequest = {
  /** PROPFIND lists folders (WebDAV). */
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'PROPFIND'
  /** Names in lower case. */
  headers?: Record<string, string>
  body?: string | Uint8Array
  /** More bytes in the body, after decompression, throw `url_not_usable`. */
  limit_bytes: number
  /** For everything: connecting, redirects, reading the body. */
  timeout_ms: number
  /** `answer`: a redirect is an answer like any other, and nobody goes where it points. */
  redirects?: 'follow' | 'answer'
  /** Names of further headers that must not follow a redirect to another host. */
  credential_headers?: readonly string[]
  /** Only these hosts and their subdomains; absent: any. */
  allowed_domains?: readonly string[]
  signal?: AbortSignal
}

export type OutboundResponse = {
  status: number
  headers: Record<string, string>
  /** Where the last redirect led. */
  url: string
  /** MUST be read, to its end or left early, or be given up with `discard`. */
  body: AsyncIterable<Uint8Array>
  /** Closes the connection without reading. */
  discard(): void
}

type Transport = { agent: Agent; send: typeof import('undici').request }

/** Loaded with the first request: it costs 50 ms and 10 MB, and most processes never fetch anything. */
async function openTransport(allowed: AllowList, resolve: Resolve): Promise<Transport> {
  const { Agent, buildConnector, request } = await import('undici')
  const agent = new Agent({
    connections: CONNECTIONS_PER_HOST_MAX,
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: IDLE_TIMEOUT_MS,
    connect: (options, callback) => {
      const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80)
      const lookup = guardedLookup(port, allowed, resolve)
      buildConnector({ timeout: CONNECT_TIMEOUT_MS, lookup })(options, callback)
    },
  })
  return { agent, send: request }
}

/**
 * The one way out: every URL that a user, a document or a configuration names is fetched here.
 * Refused destinations throw `url_not_allowed`, everything else that goes wrong `url_not_usable`.
 */
export class HttpClient {
  readonly #allowed
  readonly #resolve: Resolve
  #transport: Promise<Transport> | undefined

  constructor({
    allowed_private_hosts,
    resolve = systemResolve,
  }: {
    /** Comma list of hosts, host:port pairs and networks; see the setting of this name. */
    allowed_private_hosts: string
    resolve?: Resolve
  }) {
    this.#allowed = parseAllowList(allowed_private_hosts)
    this.#resolve = resolve
  }

  /** Follows at most five redirects, each checked like the first address. */
  async request(address: string, options: OutboundRequest): Promise<OutboundResponse> {
    const deadline = AbortSignal.timeout(options.timeout_ms)
    const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline
    let hop: Hop = {
      url: parseUrl(address),
      method: options.method ?? 'GET',
      headers: { 'user-agent': 'kura', 'accept-encoding': 'identity', ...options.headers },
      body: options.body,
    }
    for (let redirects = 0; ; redirects++) {
      const { url } = hop
      checkUrl(url, this.#allowed)
      checkDomain(url, options.allowed_domains)
      const response = await this.#send(hop, signal, options)
      const follows = options.redirects !== 'answer' && isRedirect(response.statusCode)
      const location = follows ? first(response.headers.location) : undefined
      if (location === undefined && hop.method !== 'HEAD') return this.#answer(url, response, signal, options)
      await response.body.dump({ limit: DISCARDED_BODY_BYTES_MAX }).catch((error) => {
        throw unusable(error, options)
      })
      if (location === undefined) return { ...this.#head(url, response), ...NO_BODY }
      if (redirects === REDIRECTS_MAX)
        throw new KuraError('url_not_usable', { reason: `more than ${REDIRECTS_MAX} redirects.` })
      hop = nextHop(hop, parseUrl(location, url), response.statusCode, options)
    }
  }

  /**
   * Throws `url_not_allowed` for an address that a request would be refused at, as far as one can know
   * before; a name that cannot be looked up now may be there later, and passes.
   */
  async checkAddress(address: string): Promise<void> {
    const url = parseUrl(address)
    checkUrl(url, this.#allowed)
    const lookup = guardedLookup(portOf(url), this.#allowed, this.#resolve)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, CHECK_TIMEOUT_MS)
      lookup(url.hostname.replace(/^\[|\]$/g, ''), { all: true }, (error) => {
        clearTimeout(timer)
        if (error instanceof KuraError) reject(error)
        else resolve()
      })
    })
  }

  async #send({ url, method, headers, body }: Hop, signal: AbortSignal, options: OutboundRequest) {
    try {
      this.#transport ??= openTransport(this.#allowed, this.#resolve)
      const { agent, send } = await this.#transport
      return await send(url, { dispatcher: agent, method, headers, body, signal })
    } catch (error) {
      throw unusable(error, options)
    }
  }

  #head(url: URL, { statusCode, headers }: Incoming): Omit<OutboundResponse, 'body' | 'discard'> {
    const plain = Object.entries(headers).map(([name, value]) => [name, first(value) ?? ''])
    return { status: statusCode, headers: Object.fromEntries(plain), url: url.href }
  }

  #answer(url: URL, response: Incoming, signal: AbortSignal, options: OutboundRequest): OutboundResponse {
    const { body } = response
    const head = this.#head(url, response)
    if (Number(head.headers['content-length']) > options.limit_bytes) {
      abandon(body)
      throw tooLarge(options)
    }
    const decoded = decode(body, head.headers['content-encoding'])
    return { ...head, body: bounded(decoded, signal, options), discard: () => abandon(body) }
  }

  /** Closes idle connections; requests in flight are aborted. */
  async close(): Promise<void> {
    await (await this.#transport)?.agent.destroy()
  }
}

type Incoming = Awaited<ReturnType<Transport['send']>>

type Hop = {
  url: URL
  method: NonNullable<OutboundRequest['method']>
  headers: Record<string, string>
  body: string | Uint8Array | undefined
}

function nextHop(hop: Hop, url: URL, status: number, { credential_headers = [] }: OutboundRequest): Hop {
  const secret = new Set([...CREDENTIAL_HEADERS, ...credential_headers])
  const headers = Object.fromEntries(
    Object.entries(hop.headers).filter(
      ([name]) => url.origin === hop.url.origin || !secret.has(name.toLowerCase()),
    ),
  )
  // RFC 9110 §15.4: 303 asks for GET, and browsers treat 301 and 302 to a POST the same way.
  const becomesGet = status === 303 ? hop.method !== 'HEAD' : status < 303 && hop.method === 'POST'
  if (!becomesGet) return { ...hop, url, headers }
  delete headers['content-type']
  return { url, method: 'GET', headers, body: undefined }
}

const isRedirect = (status: number) => [301, 302, 303, 307, 308].includes(status)

const first = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value)

function parseUrl(address: string, base?: URL): URL {
  const url = URL.parse(address, base?.href)
  if (!url) throw new KuraError('url_not_usable', { reason: 'it is not a valid URL.' })
  url.hash = ''
  return url
}

function checkDomain({ hostname }: URL, domains: readonly string[] | undefined): void {
  if (!domains) return
  const name = hostname.toLowerCase().replace(/\.$/, '')
  const allowed = domains.map((domain) => domain.toLowerCase().replace(/^\*?\./, ''))
  if (!allowed.some((domain) => name === domain || name.endsWith(`.${domain}`)))
    throw refused(`the host ${name} is not among the allowed domains`)
}

/** We ask for plain bytes; some stores compress all the same. */
function decode(body: Readable, encoding: string | undefined): Readable {
  const decoder = DECODERS[(encoding ?? 'identity').toLowerCase()]
  if (decoder === null) return body
  if (decoder === undefined) {
    abandon(body)
    throw new KuraError('url_not_usable', { reason: `its content encoding "${encoding}" is unknown.` })
  }
  // The reader sees every error on the last stream of the pipeline; there is nothing left to do here.
  return pipeline(body, decoder(), () => undefined)
}

/** Closes the connection of a body that nobody will read; the abort it reports is our own doing. */
function abandon(body: Readable): void {
  body.on('error', () => undefined).destroy()
}

const DECODERS: Record<string, (() => NodeJS.ReadWriteStream & Readable) | null> = {
  '': null,
  identity: null,
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
}

async function* bounded(
  body: Readable,
  signal: AbortSignal,
  options: OutboundRequest,
): AsyncGenerator<Uint8Array> {
  let size_bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size_bytes += chunk.byteLength
      if (size_bytes > options.limit_bytes) throw tooLarge(options)
      signal.throwIfAborted()
      yield chunk
    }
  } catch (error) {
    throw unusable(error, options)
  }
}

/** The answer to HEAD. */
const NO_BODY = { body: Readable.from([]), discard: () => undefined }

const tooLarge = ({ limit_bytes }: OutboundRequest) =>
  new KuraError('url_not_usable', { reason: `it holds more than ${limit_bytes} bytes.` })

/** Messages of our own: those of the network name addresses inside the operator's network. */
const REASONS: Record<string, string> = {
  ENOTFOUND: 'its host name does not exist.',
  EAI_AGAIN: 'its host name could not be looked up.',
  ECONNREFUSED: 'the server refused the connection.',
  ECONNRESET: 'the server closed the connection.',
  UND_ERR_SOCKET: 'the server closed the connection.',
  UND_ERR_CONNECT_TIMEOUT: 'the server did not accept the connection in time.',
  UND_ERR_HEADERS_TIMEOUT: 'the server did not answer in time.',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending.',
}

function unusable(error: unknown, { timeout_ms, signal }: OutboundRequest): unknown {
  if (error instanceof KuraError) return error
  if (signal?.aborted) return signal.reason
  const { name, code, message } = error as { name?: string; code?: string; message?: string }
  const reason =
    name === 'TimeoutError'
      ? `it took longer than ${timeout_ms / 1000} seconds.`
      : (REASONS[code ?? ''] ?? `the connection failed (${code ?? message}).`)
  return new KuraError('url_not_usable', { reason }, { cause: error })
}
