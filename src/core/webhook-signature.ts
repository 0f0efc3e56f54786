import { createHmac, hash, timingSafeEqual } from 'node:crypto'

/** Standard Webhooks asks for this tolerance of clocks. */
export const SIGNATURE_TOLERANCE_SECONDS = 300

const STANDARD_PREFIX = 'whsec_'

/** What is signed: the id and time of a message and its exact bytes. */
export type SignedMessage = { id: string; timestamp_seconds: number; body: string | Uint8Array }

/**
 * `t=<unix>,v1=<hex>` with one `v1` a secret: HMAC-SHA256 over `t + "." + body`, the key being the
 * secret as it is written (contract, webhooks).
 */
export function mixpeekSignature(secrets: readonly string[], message: SignedMessage): string {
  const parts = secrets.map((secret) => `v1=${mixpeekDigest(secret, message)}`)
  return [`t=${message.timestamp_seconds}`, ...parts].join(',')
}

/** `v1,<base64>` a secret, separated by spaces (Standard Webhooks 1.0, "Signature scheme"). */
export function standardSignature(secrets: readonly string[], message: SignedMessage): string {
  return secrets.map((secret) => `v1,${standardDigest(secret, message)}`).join(' ')
}

function mixpeekDigest(secret: string, { timestamp_seconds, body }: SignedMessage): string {
  return createHmac('sha256', secret).update(`${timestamp_seconds}.`).update(body).digest('hex')
}

function standardDigest(secret: string, { id, timestamp_seconds, body }: SignedMessage): string {
  return createHmac('sha256', standardKey(secret))
    .update(`${id}.${timestamp_seconds}.`)
    .update(body)
    .digest('base64')
}

/** `whsec_…` holds the key in base64; other texts are the key themselves. */
function standardKey(secret: string): Buffer {
  return secret.startsWith(STANDARD_PREFIX)
    ? Buffer.from(secret.slice(STANDARD_PREFIX.length), 'base64')
    : Buffer.from(secret)
}

/** Headers of a request, names in lower case. */
type Headers = Readonly<Record<string, string | string[] | undefined>>

type Verification = { secrets: readonly string[]; tolerance_seconds: number; now_seconds: number }

/**
 * Whether one of the known signature headers proves one of the secrets. Schemes with a time
 * (Standard Webhooks, X-Mixpeek-Signature) refuse what is older or newer than the tolerance;
 * X-Hub-Signature-256 (GitHub) carries none.
 */
export function verifySignature(headers: Headers, body: Uint8Array, verification: Verification): boolean {
  if (headers['webhook-signature'] !== undefined) return verifyStandard(headers, body, verification)
  if (headers['x-mixpeek-signature'] !== undefined) return verifyMixpeek(headers, body, verification)
  const hub = text(headers['x-hub-signature-256'])
  return verification.secrets.some((secret) =>
    equalTexts(hub, `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`),
  )
}

function verifyStandard(headers: Headers, body: Uint8Array, verification: Verification): boolean {
  const id = text(headers['webhook-id'])
  const timestamp_seconds = unixTime(text(headers['webhook-timestamp']))
  if (id === '' || !isRecent(timestamp_seconds, verification)) return false
  const given = text(headers['webhook-signature'])
    .split(' ')
    .slice(0, SIGNATURES_MAX)
    .filter((one) => one.startsWith('v1,'))
  return verification.secrets.some((secret) => {
    const expected = `v1,${standardDigest(secret, { id, timestamp_seconds, body })}`
    return given.some((one) => equalTexts(one, expected))
  })
}

function verifyMixpeek(headers: Headers, body: Uint8Array, verification: Verification): boolean {
  const parts = text(headers['x-mixpeek-signature'])
    .split(',')
    .slice(0, SIGNATURES_MAX + 1)
  const timestamp_seconds = unixTime(parts.find((part) => part.startsWith('t='))?.slice(2) ?? '')
  if (!isRecent(timestamp_seconds, verification)) return false
  return verification.secrets.some((secret) => {
    const expected = `v1=${mixpeekDigest(secret, { id: '', timestamp_seconds, body })}`
    return parts.some((part) => equalTexts(part.trim(), expected))
  })
}

/** Signatures of one header that are looked at. */
const SIGNATURES_MAX = 10

const unixTime = (digits: string) => (/^\d{1,12}$/.test(digits) ? Number(digits) : Number.NaN)

const isRecent = (time_seconds: number, { now_seconds, tolerance_seconds }: Verification) =>
  Math.abs(now_seconds - time_seconds) <= tolerance_seconds

const text = (header: string | string[] | undefined) => (typeof header === 'string' ? header : '')

/** Takes the same time wherever the texts differ, and whatever their lengths are. */
export function equalTexts(a: string, b: string): boolean {
  return timingSafeEqual(hash('sha256', a, 'buffer'), hash('sha256', b, 'buffer'))
}
