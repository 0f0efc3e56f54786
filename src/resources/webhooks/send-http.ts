import { renderParameters } from '../../core/templates/render.ts'
import { timestamp } from '../../core/time.ts'
import { mixpeekSignature, standardSignature } from '../../core/webhook-signature.ts'
import type { HttpClient, OutboundResponse } from '../../platform/net/http-client.ts'
import { excerptOf, type Message, type Outcome } from './channel-sender.ts'
import { requireScheme, type StoredChannel } from './channels.ts'

/** Read of an answer; the rest is not waited for. */
const EXCERPT_BYTES_MAX = 4096
/** Once the status is known, the body may take this long. */
const EXCERPT_TIMEOUT_MS = 1000

export type HttpSender = { http: Pick<HttpClient, 'request'>; allows_http: boolean }

type WebhookChannel = Extract<StoredChannel, { channel: 'webhook' }>

/** Sends a message to the URL of a `webhook` channel, signed when it has a secret. */
export async function sendWebhook(
  sender: HttpSender,
  channel: WebhookChannel,
  { delivery_id, event, signal }: Message,
): Promise<Outcome> {
  const { url, headers, payload_template, timeout } = channel.configs
  requireScheme(url, sender)
  const body = JSON.stringify(
    payload_template ? renderParameters(payload_template, { INPUT: event, EVENT: event }) : event,
  )
  return post(sender, url, {
    headers: {
      ...lowerCase(headers ?? {}),
      'x-mixpeek-event': event.event_type,
      'x-mixpeek-delivery': delivery_id,
      ...signatureHeaders(channel, event.event_id, body),
    },
    body,
    timeout_ms: Math.round(timeout * 1000),
    signal,
  })
}

function signatureHeaders(
  { configs: { secret }, previous_secrets = [] }: WebhookChannel,
  id: string,
  body: string,
): Record<string, string> {
  if (!secret) return {}
  const now = timestamp()
  const old = previous_secrets.filter(({ valid_until }) => valid_until > now).map((one) => one.secret)
  const secrets = [secret, ...old]
  const message = { id, timestamp_seconds: Math.floor(Date.now() / 1000), body }
  return {
    'x-mixpeek-signature': mixpeekSignature(secrets, message),
    // The event, not the delivery: receivers take it for the key by which they know a message again.
    'webhook-id': id,
    'webhook-timestamp': String(message.timestamp_seconds),
    'webhook-signature': standardSignature(secrets, message),
  }
}

type Post = { headers: Record<string, string>; body: string; timeout_ms: number; signal: AbortSignal }

/** Posts JSON. Redirects are not followed, and of the answer only the begin is read. */
export async function post({ http }: HttpSender, url: string, message: Post): Promise<Outcome> {
  const response = await http.request(url, {
    method: 'POST',
    headers: { ...message.headers, 'content-type': 'application/json' },
    body: message.body,
    timeout_ms: message.timeout_ms,
    // Whatever is announced: what is not read costs nothing.
    limit_bytes: Number.MAX_SAFE_INTEGER,
    redirects: 'answer',
    signal: message.signal,
  })
  const { status, headers } = response
  const response_excerpt = excerptOf(await beginOf(response))
  const is_success = status >= 200 && status < 300
  return {
    is_success,
    response_status: status,
    response_excerpt,
    ...(!is_success && { error: reasonOf(status) }),
    retry_after: headers['retry-after'],
    is_gone: status === 410,
  }
}

function reasonOf(status: number): string {
  return status >= 300 && status < 400
    ? `The receiver answered with a redirect (${status}), which is not followed.`
    : `The receiver answered with status ${status}.`
}

/** The status has decided already, so a body that breaks off or never ends is no failure. */
async function beginOf(response: OutboundResponse): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size_bytes = 0
  const timer = setTimeout(() => response.discard(), EXCERPT_TIMEOUT_MS)
  try {
    for await (const chunk of response.body) {
      chunks.push(chunk.subarray(0, EXCERPT_BYTES_MAX - size_bytes))
      size_bytes += chunk.byteLength
      if (size_bytes >= EXCERPT_BYTES_MAX) break
    }
  } catch {
    // What has arrived until then is the excerpt.
  } finally {
    clearTimeout(timer)
    response.discard()
  }
  return Buffer.concat(chunks)
}

const lowerCase = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
