import { KuraError } from '../../core/errors.ts'

const GONE = new Set(['NoSuchKey', 'NoSuchVersion'])
const BUSY = new Set([
  'SlowDown',
  'ServiceUnavailable',
  'TooManyRequests',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
])
const WRONG_CREDENTIALS = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidToken',
  'ExpiredToken',
  'TokenRefreshRequired',
  'AuthFailure',
])

/** Messages of our own: those of the network name addresses inside the operator's network. */
const NETWORK: Record<string, string> = {
  ENOTFOUND: 'the host name of the endpoint does not exist.',
  EAI_AGAIN: 'the host name of the endpoint could not be looked up.',
  ECONNREFUSED: 'the server refused the connection.',
  ECONNRESET: 'the server closed the connection.',
  TimeoutError: 'the server did not answer in time.',
  NoSuchBucket: 'the bucket does not exist.',
  PermanentRedirect: 'the bucket lives in another region.',
  AuthorizationHeaderMalformed: 'the region is wrong.',
  RequestTimeTooSkewed: 'the clock of this server differs too much from that of the store.',
}

/** What the SDK threw, as the port says it. */
export function sourceError(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof KuraError) return error
  if (signal.aborted) return signal.reason
  const { name, code, $metadata } = error as {
    name: string
    code?: string
    $metadata?: { httpStatusCode?: number }
  }
  const status = $metadata?.httpStatusCode
  const cause = { cause: error }
  // The SDK wraps what the look-up of a host threw.
  const inner = (error as Error).cause
  if (inner instanceof KuraError) return inner
  if (GONE.has(name)) return new KuraError('source_item_gone', {}, cause)
  if (BUSY.has(name) || status === 429 || status === 503) return new KuraError('source_busy', {}, cause)
  if (WRONG_CREDENTIALS.has(name))
    return new KuraError('connection_failed', { reason: 'the store refuses the credentials.' }, cause)
  if (name === 'InvalidObjectState')
    return new KuraError(
      'source_item_unreadable',
      { reason: 'it is archived in a cold storage class' },
      cause,
    )
  if (name === 'AccessDenied' || status === 403)
    return new KuraError('source_item_unreadable', { reason: 'the store denies access' }, cause)
  const known = NETWORK[name] ?? NETWORK[code ?? '']
  const reason = known ?? `the store answered ${name}${status ? ` (status ${status})` : ''}.`
  return new KuraError('connection_failed', { reason }, cause)
}
