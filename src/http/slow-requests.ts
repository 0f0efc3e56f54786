import type { IncomingMessage } from 'node:http'
import type { App } from './app.ts'
import { refuseUnreadable } from './unreadable-request.ts'

/** A body that is read before its handler runs must be there within this time. */
const BODY_TIMEOUT_MS = 300_000

/** The head of a request must be there within this time. */
const HEAD_TIMEOUT_MS = 60_000

/** A body that its handler streams may take hours, but must not stand still for this long. */
const IDLE_TIMEOUT_MS = 60_000

/**
 * A client that sends half a request must not hold a connection for ever. Node's own `requestTimeout`
 * would also cut uploads of many gigabytes, so it is off and this takes its place.
 */
export function limitSlowRequests(app: App): void {
  app.server.requestTimeout = 0
  app.server.headersTimeout = HEAD_TIMEOUT_MS
  app.addHook('onRequest', (request, _reply, done) => {
    const { raw, routeOptions } = request
    const { headers } = raw
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return done()
    if (routeOptions.config.streams) limitIdle(raw)
    else limitTime(raw)
    done()
  })
}

function limitTime(raw: IncomingMessage): void {
  const timer = setTimeout(() => {
    if (!raw.complete)
      refuseUnreadable(
        Object.assign(new Error('Too slow.'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }),
        raw.socket,
      )
  }, BODY_TIMEOUT_MS)
  timer.unref()
  const stop = () => clearTimeout(timer)
  raw.once('end', stop).once('close', stop)
}

function limitIdle(raw: IncomingMessage): void {
  const { socket } = raw
  let seen = socket.bytesRead
  const timer = setInterval(() => {
    if (raw.complete) return clearInterval(timer)
    // Bytes that wait here are late by our fault: a store that is slow stops the reading.
    if (socket.bytesRead === seen && raw.readableLength === 0)
      raw.destroy(new Error('Nothing arrived in time.'))
    seen = socket.bytesRead
  }, IDLE_TIMEOUT_MS)
  timer.unref()
  raw.once('close', () => clearInterval(timer))
}
