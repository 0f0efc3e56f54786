import { KuraError } from '../../core/errors.ts'
import { RowError } from '../../extractors/extractor.ts'
import { collect } from '../../lib/streams.ts'
import { mimeOfFilename, normalizeMime, SNIFF_BYTES, sniffMime } from '../../platform/media/mime.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import type { FetchUrl } from './deps.ts'

const TIMEOUT_MS = 10 * 60_000

/** Answers that may be better the next time (RFC 9110: timeout, too many requests, server trouble). */
const isTransient = (status: number) => status === 408 || status === 429 || status >= 500

/** Fetches inputs that were never copied into our store, through the guarded client. */
export function createFetchUrl({ http }: { http: Pick<HttpClient, 'request'> }): FetchUrl {
  return async (url, { limit_bytes, signal }) => {
    try {
      const response = await http.request(url, { limit_bytes, timeout_ms: TIMEOUT_MS, signal })
      if (response.status < 200 || response.status >= 300) {
        response.discard()
        const reason = `The server of the URL answered with status ${response.status}.`
        throw new RowError(isTransient(response.status) ? 'network' : 'validation', reason)
      }
      const bytes = await collect(response.body)
      const filename = nameOf(response.url)
      const declared = normalizeMime(response.headers['content-type']) ?? mimeOfFilename(filename)
      return {
        bytes,
        mime_type: await sniffMime(bytes.subarray(0, SNIFF_BYTES), declared, filename),
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

function nameOf(url: string): string | null {
  const name = new URL(url).pathname.split('/').at(-1)
  return name ? name : null
}
