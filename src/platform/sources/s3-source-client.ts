import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { S3Client } from '@aws-sdk/client-s3'
import { KuraError } from '../../core/errors.ts'
import type { OutboundGuard } from '../net/outbound-guard.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** Of a connection that sends nothing. */
const IDLE_TIMEOUT_MS = 30_000
const CONNECTIONS_MAX = 16
const ATTEMPTS_MAX = 3

/** A checked `provider_config` of an S3 connection. */
export type S3Settings = {
  credentials: { access_key_id: string; secret_access_key: string; session_token?: string | null }
  region: string
  endpoint_url?: string | null
  use_ssl?: boolean
  verify_ssl?: boolean
}

/** A client whose every connection passes the guard; throws `url_not_allowed`, `connection_failed`. */
export async function openS3Client(settings: S3Settings, guard: OutboundGuard): Promise<S3Client> {
  const { credentials, region, verify_ssl = true } = settings
  const endpoint = endpointOf(settings)
  if (endpoint) guard.checkUrl(endpoint)
  const port = Number(endpoint?.port) || (endpoint?.protocol === 'http:' ? 80 : 443)
  const agent = { keepAlive: true, maxSockets: CONNECTIONS_MAX, lookup: guard.lookup(port) }
  // Loaded with the first S3 connection: the SDK costs more than the rest of the server's start.
  const { S3Client } = await import('@aws-sdk/client-s3')
  return new S3Client({
    region,
    credentials: {
      accessKeyId: credentials.access_key_id,
      secretAccessKey: credentials.secret_access_key,
      ...(credentials.session_token && { sessionToken: credentials.session_token }),
    },
    // Most stores other than Amazon's have no host name for each bucket.
    ...(endpoint && { endpoint: endpoint.href, forcePathStyle: true }),
    maxAttempts: ATTEMPTS_MAX,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, rejectUnauthorized: verify_ssl }),
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: IDLE_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  })
}

function endpointOf({ endpoint_url, use_ssl = true }: S3Settings): URL | null {
  if (!endpoint_url) return null
  const text = /^[a-z]+:\/\//i.test(endpoint_url)
    ? endpoint_url
    : `${use_ssl ? 'https' : 'http'}://${endpoint_url}`
  const url = URL.parse(text)
  if (!url) throw new KuraError('connection_failed', { reason: 'endpoint_url is not a URL.' })
  return url
}
