import { KuraError } from '../core/errors.ts'
import { sha256 } from '../core/ids.ts'
import { type Caller, PERMISSIONS, type Permission } from '../core/permissions.ts'
import type { App } from './app.ts'

/** Finds the active key with this SHA-256 hash; undefined when there is none. */
export type FindCaller = (key_hash: string) => Promise<Caller | undefined>

/** A revoked key stops working everywhere within this time (contract, API keys). */
const CALLER_CACHE_MS = 5000
const CALLER_CACHE_MAX = 10_000

/** Sets `request.caller` on routes that need a key; 401 before the body is read. */
export function registerAuth(app: App, { findCaller }: { findCaller: FindCaller }): void {
  const find = cached(findCaller)
  app.decorateRequest('caller')
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.permission === undefined || request.is404) return
    const key = bearerKey(request.headers.authorization)
    const caller = key ? await find(sha256(key)) : undefined
    if (!caller) throw new KuraError('unauthorized')
    request.caller = caller
  })
}

/** 403 when the key may not do what the route does. */
export function requirePermission(caller: Caller, permission: Permission): void {
  if (PERMISSIONS.indexOf(caller.permission) < PERMISSIONS.indexOf(permission))
    throw new KuraError('permission_denied', { permission })
}

/** The generated client may send the header twice, which Node joins with a comma: the first non-empty one wins. */
function bearerKey(header: string | undefined): string | null {
  for (const part of header?.split(',') ?? []) {
    const key = /^\s*Bearer\s+(\S+)\s*$/i.exec(part)?.[1]
    if (key) return key
  }
  return null
}

function cached(find: FindCaller): FindCaller {
  const known = new Map<string, { caller: Caller; until_ms: number }>()
  return async (key_hash) => {
    const hit = known.get(key_hash)
    if (hit && hit.until_ms > Date.now()) return hit.caller
    const caller = await find(key_hash)
    if (!caller) {
      known.delete(key_hash)
      return undefined
    }
    if (known.size >= CALLER_CACHE_MAX) known.clear()
    known.set(key_hash, { caller, until_ms: Date.now() + CALLER_CACHE_MS })
    return caller
  }
}
