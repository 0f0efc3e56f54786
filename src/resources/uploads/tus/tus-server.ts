import { Server } from '@tus/server'
import type { CancellationContext } from '@tus/utils'

/** Types of the refusals that the library words itself; the others are `BadRequestError`. */
const TYPES: Record<number, string> = {
  404: 'NotFoundError',
  409: 'ConflictError',
  410: 'NotFoundError',
  413: 'PayloadTooLargeError',
}

/** The library's server, with the envelope that every error has; status and words stay those of the protocol. */
export class TusServer extends Server {
  override write(
    context: CancellationContext,
    headers: Headers,
    status: number,
    body = '',
  ): Promise<Response> {
    if (status < 400) return super.write(context, headers, status, body)
    headers.set('Content-Type', 'application/json; charset=utf-8')
    if (status === 503) headers.set('Retry-After', '1')
    // Bad headers are refused before anything of ours is asked, and so in plain words.
    return super.write(
      context,
      headers,
      status,
      body.startsWith('{') ? body : refusedByProtocol(status, body),
    )
  }
}

/** The body of an error that the library has found. */
function refusedByProtocol(status: number, words: string): string {
  const error = { message: words.trim(), type: TYPES[status] ?? 'BadRequestError', code: 'tus_refused' }
  return JSON.stringify({ success: false, status, error })
}
