import { KuraError } from '../../core/errors.ts'
import type { HttpClient, OutboundRequest, OutboundResponse } from '../net/http-client.ts'
import { limitedBody } from './limited-body.ts'
import type { SourceContent, SourceReadOptions } from './source-provider.ts'

/** Time for one answer that tells of files, and for the bytes of one file. */
const ANSWER_TIMEOUT_MS = 60_000
const FILE_TIMEOUT_MS = 3600_000
/** Listings and pages are read whole, so they are bounded; larger ones are no page of a sane peer. */
export const ANSWER_BYTES_MAX = 32 * 1024 * 1024

export type SourceRequest = Pick<OutboundRequest, 'method' | 'headers' | 'body' | 'signal'> & {
  timeout_ms?: number
}

/** A request to a source; what goes wrong on the way is told as the port says it. Any status is an answer. */
export async function askSource(
  http: HttpClient,
  address: string,
  { timeout_ms = ANSWER_TIMEOUT_MS, ...options }: SourceRequest,
): Promise<OutboundResponse> {
  // Any header of a connection may be its secret.
  const credential_headers = Object.keys(options.headers ?? {})
  const bounds = { timeout_ms, limit_bytes: Number.MAX_SAFE_INTEGER }
  try {
    return await http.request(address, { ...options, ...bounds, credential_headers })
  } catch (error) {
    throw toldError(error)
  }
}

/** The whole text of an answer, as UTF-8. Throws as `readBytes` does. */
export const readText = async (response: OutboundResponse): Promise<string> =>
  (await readBytes(response)).toString('utf8')

/** All bytes of an answer; throws `connection_failed` when it is larger than a listing may be. */
export async function readBytes({ body }: OutboundResponse): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size_bytes = 0
  try {
    for await (const chunk of body) {
      size_bytes += chunk.byteLength
      if (size_bytes > ANSWER_BYTES_MAX)
        throw connectionFailed(`the server answered with a page of more than ${ANSWER_BYTES_MAX} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw toldError(error)
  }
  return Buffer.concat(chunks)
}

/** Throws what a status that is no success means for a listing or a page. */
export function requireSuccess(response: OutboundResponse, what: string): void {
  const { status } = response
  if (status >= 200 && status < 300) return
  response.discard()
  if (status === 401) throw connectionFailed('the server refuses the credentials (status 401)')
  if (status === 403) throw connectionFailed(`the credentials may not read ${what} (status 403)`)
  if (status === 404 || status === 410) throw connectionFailed(`${what} does not exist (status ${status})`)
  if (isBusy(status)) throw new KuraError('source_busy')
  throw connectionFailed(`the server answered with status ${status}`)
}

/** Throws what a status that is no success means for one file. */
export function requireFile(response: OutboundResponse): void {
  const { status } = response
  if (status === 404 || status === 410) {
    response.discard()
    throw new KuraError('source_item_gone')
  }
  if (status === 403) {
    response.discard()
    throw new KuraError('source_item_unreadable', { reason: 'the server denies access (status 403)' })
  }
  requireSuccess(response, 'the file')
}

/** The bytes of a file at an address. `versionOf` tells the version from the headers, null: as listed. */
export async function readFileAt(
  http: HttpClient,
  address: string,
  { signal, limit_bytes }: SourceReadOptions,
  {
    headers,
    versionOf,
  }: { headers: Record<string, string>; versionOf(headers: Record<string, string>): string | null },
): Promise<SourceContent> {
  const response = await askSource(http, address, { headers, signal, timeout_ms: FILE_TIMEOUT_MS })
  requireFile(response)
  return contentOf(response, { signal, limit_bytes }, versionOf(response.headers))
}

/** The body of a successful answer as the content of a file. */
export function contentOf(
  response: OutboundResponse,
  { signal, limit_bytes }: Pick<SourceReadOptions, 'signal' | 'limit_bytes'>,
  version: string | null,
): SourceContent {
  if (Number(response.headers['content-length']) > limit_bytes) {
    response.discard()
    throw new KuraError('source_file_too_large', { limit_bytes })
  }
  return {
    body: toldBody(limitedBody(response.body, { signal, limit_bytes })),
    version,
    mime_type: response.headers['content-type'] ?? null,
  }
}

/** A version from the headers of an answer; null when they tell nothing. */
export function versionOfHeaders(headers: Record<string, string>): string | null {
  const { etag, 'last-modified': modified, 'content-length': size } = headers
  if (etag) return etag.replace(/^W\//, '').replace(/"/g, '')
  return modified ? `${size ?? ''}-${Date.parse(modified)}` : null
}

export const isBusy = (status: number) => status === 429 || status === 503

export const connectionFailed = (reason: string, cause?: unknown) =>
  new KuraError('connection_failed', { reason: `${reason.replace(/\.$/, '')}.` }, { cause })

/** `url_not_usable` speaks of a URL that a user gave; here the fault is that of the connection. */
function toldError(error: unknown): unknown {
  if (!(error instanceof KuraError) || error.code !== 'url_not_usable') return error
  return connectionFailed(String(error.details.reason), error)
}

async function* toldBody(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw toldError(error)
  }
}
