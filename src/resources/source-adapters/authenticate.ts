import { equalTexts, verifySignature } from '../../core/webhook-signature.ts'
import type { AdapterConfig } from './config.ts'

/** Names in lower case. */
export type EventHeaders = Readonly<Record<string, string | string[] | undefined>>

/** Whether a request proves to come from the sender that the adapter was set up for. */
export function isAuthentic({ auth }: AdapterConfig, headers: EventHeaders, body: Uint8Array): boolean {
  if (!auth) return false
  const secrets = [auth.secret, ...(auth.previous_secret ? [auth.previous_secret] : [])]
  const is = (given: string | undefined) =>
    given !== undefined && secrets.some((secret) => equalTexts(given, secret))
  switch (auth.method) {
    case 'signature':
      return verifySignature(headers, body, {
        secrets,
        tolerance_seconds: auth.tolerance_seconds,
        now_seconds: Math.floor(Date.now() / 1000),
      })
    case 'bearer':
      return is(tokenOf(headers.authorization))
    case 'header': {
      const value = headers[auth.header!.toLowerCase()]
      return is(typeof value === 'string' ? value : undefined)
    }
  }
}

/** Headers in which senders name their events. */
const ID_HEADERS = ['webhook-id', 'x-github-delivery', 'x-mixpeek-delivery']

/**
 * The id that the headers of an authentic request name; undefined when there is none that counts.
 * Beside a signature only what it covers does: else anybody who saw one signed request could send it
 * again and again under new ids.
 */
export function eventIdOf(headers: EventHeaders, { is_signed }: { is_signed: boolean }): string | undefined {
  const isCovered = (name: string) => name === 'webhook-id' && headers['webhook-signature'] !== undefined
  const names = is_signed ? ID_HEADERS.filter(isCovered) : ID_HEADERS
  return names.map((name) => headers[name]).find((id) => typeof id === 'string' && id !== '') as
    | string
    | undefined
}

/** Senders that can only be given a URL send what stands before its host as basic authentication. */
function tokenOf(authorization: string | string[] | undefined): string | undefined {
  if (typeof authorization !== 'string') return undefined
  const [, scheme, value] = /^\s*(bearer|basic)\s+(\S+)\s*$/i.exec(authorization) ?? []
  if (scheme?.toLowerCase() === 'bearer') return value
  if (value === undefined) return undefined
  const decoded = Buffer.from(value, 'base64').toString('utf8')
  return decoded.slice(decoded.indexOf(':') + 1)
}
