import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { RowError } from '../../extractors/extractor.ts'
import { collect } from '../../lib/streams.ts'
import { mimeOfFilename, normalizeMime, SNIFF_BYTES, sniffMime } from '../../platform/media/mime.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import type { FetchUrl } from './deps.ts'

const TIMEOUT_MS = 10 * 60_000

/** Answers that may be better the next time (RFC 9110: timeout, too many requests, server trouble). */
const isTransient = (status: number) => status === 408 || status === 429 || status >= 500

/** Opens the address of an object store through a connection that covers it; null when none does. */
type OpenAddress = (
  scope: Scope,
  address: string,
  options: { limit_bytes: number; signal: AbortSignal },
) => Promise<{ body: AsyncIterable<Uint8Array>; mime_type: string | null } | null>

type Options = { http: Pick<HttpClient, 'request'>; openAddress: OpenAddress }
type Opened = { body: AsyncIterable<Uint8Array>; declared: string | null; filename: string | null }

/** Fetches inputs that were never copied into our store, through the guarded client or a connection. */
export function createFetchUrl({ http, openAddress }: Options): FetchUrl {
  return async (scope, url, options) => {
    try {
      const { body, declared, filename } = /^(?:s3|gs):/i.test(url)
        ? await openStored(openAddress, scope, url, options)
        : await openUrl(http, url, options)
      const bytes = await collect(body)
      const told = normalizeMime(declared) ?? mimeOfFilename(filename)
      return {
        bytes,
        mime_type: await sniffMime(bytes.subarray(0, SNIFF_BYTES), told, filename),
        filename,
      }
    } catch (error) {
      // Broken connections and slow servers: the next attempt may succeed.
      if (error instanceof KuraError && error.code === 'url_not_usable')
        throw new RowError('network', error.message, { cause: error })
      throw error
    }
  }
}

async function openUrl(
  http: Options['http'],
  url: string,
  options: { limit_bytes: number; signal: AbortSignal },
): Promise<Opened> {
  const response = await http.request(url, { ...options, timeout_ms: TIMEOUT_MS })
  if (response.status < 200 || response.status >= 300) {
    response.discard()
    const reason = `The server of the URL answered with status ${response.status}.`
    throw new RowError(isTransient(response.status) ? 'network' : 'validation', reason)
  }
  return {
    body: response.body,
    declared: response.headers['content-type'] ?? null,
    filename: nameOf(response.url),
  }
}

async function openStored(
  openAddress: OpenAddress,
  scope: Scope,
  address: string,
  { limit_bytes, signal }: { limit_bytes: number; signal: AbortSignal },
): Promise<Opened> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  const opened = await openAddress(scope, address, { limit_bytes, signal: deadline })
  if (!opened) throw new RowError('validation', `No connection of this server covers ${address}.`)
  return { body: opened.body, declared: opened.mime_type, filename: nameOf(address) }
}

function nameOf(url: string): string | null {
  const name = new URL(url).pathname.split('/').at(-1)
  return name ? name : null
}
