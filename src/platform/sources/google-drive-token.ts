import { createPrivateKey, createSign } from 'node:crypto'
import type { HttpClient } from '../net/http-client.ts'
import { type AccessToken, fetchOAuthToken } from './cloud-api.ts'
import { connectionFailed } from './source-http.ts'

const SCOPE = 'https://www.googleapis.com/auth/drive.readonly'
const ASSERTION_LIFETIME_S = 3600

export type DriveCredentials =
  | { type: 'service_account'; private_key: string; private_key_id: string; client_email: string }
  | { type: 'oauth'; client_id: string; client_secret: string; refresh_token: string }

/** A token for reading Drive: by a signed assertion (RFC 7523) or by a refresh token. */
export function fetchDriveToken(
  http: HttpClient,
  token_url: string,
  { credentials, impersonate_user }: { credentials: DriveCredentials; impersonate_user?: string | null },
  signal: AbortSignal,
): Promise<AccessToken> {
  if (credentials.type === 'oauth') {
    const { client_id, client_secret, refresh_token } = credentials
    const form = { grant_type: 'refresh_token', client_id, client_secret, refresh_token }
    return fetchOAuthToken(http, token_url, form, signal)
  }
  const assertion = signedAssertion(credentials, token_url, impersonate_user)
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }
  return fetchOAuthToken(http, token_url, form, signal)
}

function signedAssertion(
  {
    private_key,
    private_key_id,
    client_email,
  }: { private_key: string; private_key_id: string; client_email: string },
  audience: string,
  subject: string | null | undefined,
): string {
  const issued_s = Math.floor(Date.now() / 1000)
  const claims = {
    iss: client_email,
    scope: SCOPE,
    aud: audience,
    iat: issued_s,
    exp: issued_s + ASSERTION_LIFETIME_S,
    ...(subject && { sub: subject }),
  }
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const text = `${encode({ alg: 'RS256', typ: 'JWT', kid: private_key_id })}.${encode(claims)}`
  try {
    // Keys that went through an environment variable have their line breaks written out.
    const key = createPrivateKey(private_key.replace(/\\n/g, '\n'))
    return `${text}.${createSign('RSA-SHA256').update(text).sign(key, 'base64url')}`
  } catch (error) {
    throw connectionFailed(
      'the private_key is no RSA key in PEM form; copy it whole from the key file',
      error,
    )
  }
}
