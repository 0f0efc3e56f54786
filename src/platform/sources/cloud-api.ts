import { setTimeout as wait } from 'node:timers/promises'
import { KuraError } from '../../core/errors.ts'
import { isObject } from '../../core/json.ts'
import type { HttpClient, OutboundResponse } from '../net/http-client.ts'
import { askSource, connectionFailed, isBusy, readText, requireFile, requireSuccess } from './source-http.ts'

const TRIES_MAX = 3
/** Longer waits are left to whoever runs the sync. */
const WAIT_MS_MAX = 10_000
const WAIT_MS = 500
const FILE_TIMEOUT_MS = 3600_000
/** A token is not used in its last minute: it could expire on the way. */
const TOKEN_RESERVE_MS = 60_000
const ERROR_BYTES_MAX = 64 * 1024

export type AccessToken = { token: string; expires_at_ms: number }

/** The REST API of a cloud: tokens that are renewed, answers in JSON, a server that asks to slow down. */
export class CloudApi {
  readonly #http: HttpClient
  readonly #fetchToken: (signal: AbortSignal) => Promise<AccessToken>
  readonly #reasonOf: (body: unknown) => string
  #token: Promise<AccessToken> | undefined

  constructor(
    http: HttpClient,
    options: {
      /** Throws `connection_failed`. */
      fetchToken(signal: AbortSignal): Promise<AccessToken>
      /** The code in the body of an error (`rateLimitExceeded`), letters only; messages of a cloud are never shown. */
      reasonOf(body: unknown): string
    },
  ) {
    this.#http = http
    this.#fetchToken = options.fetchToken
    this.#reasonOf = options.reasonOf
  }

  /** The JSON of an answer; `what` names it in errors. Throws `connection_failed`. */
  async json<T>(url: URL, signal: AbortSignal, what: string): Promise<T> {
    const response = await this.#ask(url, signal, undefined).catch((error) => {
      if (!(error instanceof KuraError) || error.code !== 'source_item_unreadable') throw error
      throw connectionFailed(`${what}: ${error.details.reason}`, error)
    })
    requireSuccess(response, what)
    return parse<T>(await readText(response))
  }

  /** The bytes of a file. Throws `source_item_gone`, `source_item_unreadable`. */
  async file(url: URL, signal: AbortSignal): Promise<OutboundResponse> {
    const response = await this.#ask(url, signal, FILE_TIMEOUT_MS)
    requireFile(response)
    return response
  }

  /** A refused token is renewed once; a busy cloud is asked again after the time it names. */
  async #ask(url: URL, signal: AbortSignal, timeout_ms: number | undefined): Promise<OutboundResponse> {
    let isRenewed = false
    for (let attempt = 1; ; attempt++) {
      const { token } = await this.#currentToken(signal)
      const headers = { authorization: `Bearer ${token}`, accept: '*/*' }
      const response = await askSource(this.#http, url.href, {
        headers,
        signal,
        ...(timeout_ms && { timeout_ms }),
      })
      if (response.status === 401 && !isRenewed) {
        response.discard()
        isRenewed = true
        this.#token = undefined
        attempt--
        continue
      }
      if (!(await this.#isBusy(response))) return response
      const wait_ms = waitOf(response.headers['retry-after'], attempt)
      if (attempt === TRIES_MAX || wait_ms > WAIT_MS_MAX) throw new KuraError('source_busy')
      await wait(wait_ms, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }

  /** Reads the body of a refusal only where it tells whether to wait (Google says so with 403). */
  async #isBusy(response: OutboundResponse): Promise<boolean> {
    if (isBusy(response.status)) {
      response.discard()
      return true
    }
    if (response.status !== 403) return false
    if (Number(response.headers['content-length'] ?? 0) > ERROR_BYTES_MAX) return false
    const reason = this.#reasonOf(safeParse(await readText(response)))
    if (/rateLimit/i.test(reason)) return true
    throw new KuraError('source_item_unreadable', { reason: `the cloud denies access (${reason || 403})` })
  }

  /** Calls at the same time share one request for a token. */
  async #currentToken(signal: AbortSignal): Promise<AccessToken> {
    const known = this.#token
    const current = await known?.catch(() => undefined)
    if (current && current.expires_at_ms - TOKEN_RESERVE_MS > Date.now()) return current
    if (this.#token === known || this.#token === undefined) this.#token = this.#fetchToken(signal)
    return this.#token
  }
}

/** Asks a token endpoint (OAuth 2.0, RFC 6749); what it refuses is told without what was sent. */
export async function fetchOAuthToken(
  http: HttpClient,
  address: string,
  form: Record<string, string>,
  signal: AbortSignal,
): Promise<AccessToken> {
  const response = await askSource(http, address, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: new URLSearchParams(form).toString(),
    signal,
  })
  const { status } = response
  if (isBusy(status)) {
    response.discard()
    throw new KuraError('source_busy')
  }
  const body = safeParse(await readText(response))
  if (status !== 200) {
    const code = isObject(body) && typeof body.error === 'string' ? body.error : ''
    const told = /^[a-z_]{1,40}$/.test(code) ? `${code}, status ${status}` : `status ${status}`
    throw connectionFailed(`the token service refuses the credentials (${told})`)
  }
  if (!isObject(body) || typeof body.access_token !== 'string' || body.access_token === '')
    throw connectionFailed('the token service answered without a token')
  const seconds = Number(body.expires_in)
  const lifetime_ms = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 3600_000
  return { token: body.access_token, expires_at_ms: Date.now() + lifetime_ms }
}

function parse<T>(text: string): T {
  const body = safeParse(text)
  if (!isObject(body)) throw connectionFailed('the cloud answered with something other than JSON')
  return body as T
}

function safeParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A proxy's page instead of the answer; who asked decides by the status.
    return null
  }
}

function waitOf(retry_after: string | undefined, attempt: number): number {
  const seconds = Number(retry_after)
  return retry_after && Number.isFinite(seconds) ? seconds * 1000 : WAIT_MS * 2 ** (attempt - 1)
}
