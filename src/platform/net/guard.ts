import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { KuraError } from '../../core/errors.ts'
import { type AllowList, isPublicAddress } from './addresses.ts'

/** Resolves a name to all of its addresses. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>

export const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true })

/**
 * Checks what can be known before a connection: scheme, no credentials in the URL, and hosts that
 * are IP literals. The URL parser has turned decimal, octal and hexadecimal forms into dotted ones.
 */
export function checkUrl(url: URL, allowed: AllowList): void {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refused(`the scheme ${url.protocol} is not http or https`)
  if (url.username !== '' || url.password !== '') throw refused('it holds a user name or password')
  if (isLiteral(url.hostname) && !allowed.allowsHost(url.hostname, portOf(url)))
    checkAddress(url.hostname, allowed)
}

/**
 * The name look-up of the connection itself: the addresses that are checked here are the ones that
 * get connected, so a name server cannot answer the check with one and the connection with another.
 */
export function guardedLookup(port: number, allowed: AllowList, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolveAllowed(hostname, port, allowed, resolve).then(
      (addresses) => {
        if (options.all) callback(null, addresses)
        else callback(null, addresses[0]!.address, addresses[0]!.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}

async function resolveAllowed(hostname: string, port: number, allowed: AllowList, resolve: Resolve) {
  const addresses = await resolve(hostname)
  // One private address among public ones is refused too: it is how a rebinding name looks.
  if (!allowed.allowsHost(hostname, port)) for (const { address } of addresses) checkAddress(address, allowed)
  return addresses
}

function checkAddress(address: string, allowed: AllowList): void {
  if (!isPublicAddress(address) && !allowed.allowsAddress(address))
    throw refused(
      'it leads to a private or special address. The operator can allow it (allowed_private_hosts)',
    )
}

export function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
}

const isLiteral = (hostname: string) => hostname.startsWith('[') || /^\d+(?:\.\d+){3}$/.test(hostname)

export const refused = (reason: string) => new KuraError('url_not_allowed', { reason: `${reason}.` })
