import { KuraError } from '../../core/errors.ts'
import { parseFileAddress } from '../../core/file-address.ts'
import type { Scope } from '../../core/scope.ts'
import { collect } from '../../lib/streams.ts'
import type { Files } from '../../platform/files/files.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import type { ReadContent } from './query-vector.ts'

/** Query media may be this large (contract, outbound guard). */
export const QUERY_BYTES_MAX = 50 * 1024 * 1024
const FETCH_TIMEOUT_MS = 15_000

/** Reads the media of a query: a file of this server, a URL, a data URI or base64. */
export function createReadContent({ files, http }: { files: Files; http: HttpClient }): ReadContent {
  return async (scope: Scope, content: string) => {
    const file_id = parseFileAddress(content)
    if (file_id) return files.bytes(scope, file_id, QUERY_BYTES_MAX)
    if (/^https?:\/\//i.test(content)) return fetchBytes(http, content)
    const bytes = decodeBase64(
      /^data:[^,]*;base64,/i.exec(content) ? content.slice(content.indexOf(',') + 1) : content,
    )
    if (bytes.length > QUERY_BYTES_MAX)
      throw new KuraError('inline_blob_too_large', { limit_bytes: QUERY_BYTES_MAX })
    return bytes
  }
}

async function fetchBytes(http: HttpClient, url: string): Promise<Uint8Array> {
  const response = await http.request(url, { limit_bytes: QUERY_BYTES_MAX, timeout_ms: FETCH_TIMEOUT_MS })
  if (response.status >= 400) {
    response.discard()
    throw new KuraError('url_not_usable', { reason: `it answered ${response.status}.` })
  }
  return collect(response.body)
}

function decodeBase64(text: string): Uint8Array {
  const compact = text.replace(/\s+/g, '')
  if (compact === '' || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(compact))
    throw new KuraError('bad_request', { reason: 'The query content is no URL, data URI or base64.' })
  return Buffer.from(compact, 'base64')
}
