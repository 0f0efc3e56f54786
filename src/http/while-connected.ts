import type { FastifyReply } from 'fastify'
import { KuraError } from '../core/errors.ts'

/** Work for a client that has gone is of no use: `signal` aborts when the connection closes before the answer. */
export function whileConnected({ raw }: FastifyReply): { signal: AbortSignal } {
  const gone = new AbortController()
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort(new KuraError('bad_request', { reason: 'The client has gone.' }))
  })
  return { signal: gone.signal }
}
