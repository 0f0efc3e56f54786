import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { KuraError } from '../core/errors.ts'
import { envelope } from './error-handler.ts'

/**
 * Answers what Node could not read as HTTP with the envelope that every error has, and closes the
 * connection: where the next request begins nobody knows.
 */
export function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  if (socket.writable) {
    const refusal = refusalOf(error.code)
    const { status } = refusal.row
    const body = JSON.stringify(envelope(refusal))
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  }
  socket.destroy(error)
}

function refusalOf(code: string | undefined): KuraError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new KuraError('request_timeout')
  if (code === 'HPE_HEADER_OVERFLOW') return new KuraError('headers_too_large')
  return new KuraError('bad_request', { reason: 'The request is no valid HTTP.' })
}
