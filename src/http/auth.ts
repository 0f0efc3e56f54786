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
  const callers = new CallerCache()
  app.decorateRequest('caller')
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.permission === undefined || request.is404) return done()
    const { authorization = '' } = request.headers
    const known = callers.get(authorization)
    if (known) {
      request.caller = known
      return done()
    }
    authenticate(authorization, findCaller).then((caller) => {
      callers.set(authorization, caller)
      request.caller = caller
      done()
    }, done)
  })
}

async function authenticate(authorization: string, findCaller: FindCaller): Promise<Caller> {
  const key = bearerKey(authorization)
  const caller = key ? await findCaller(sha256(key)) : undefined
  if (!caller) throw new KuraError('unauthorized')
  return caller
}

/** 403 when the key may not do what the route does. */
export function requirePermission(caller: Caller, permission: Permission): void {
  if (PERMISSIONS.indexOf(caller.permission) < PERMISSIONS.indexOf(permission))
    throw new KuraError('permission_denied', { permission })
}

/** The generated client may send the header twice, which Node joins with a comma: the first non-empty one wins. */
function bearerKey(header: string): string | null {
  for (const part of header.split(',')) {
    const key = /^\s*Bearer\s+(\S+)\s*$/i.exec(part)?.[1]
    if (key) return key
  }
  return null
}

/** Callers by their header, so that a request of a known key hashes nothing and asks nobody. */
class CallerCache {
  readonly #known = new Map<string, { caller: Caller; until_ms: number }>()

  get(authorization: string): Caller | undefined {
    const hit = this.#known.get(authorization)
    return hit && hit.until_ms > Date.now() ? hit.caller : undefined
  }

  set(authorization: string, caller: Caller): void {
    if (this.#known.size >= CALLER_CACHE_MAX) this.#known.clear()
    this.#known.set(authorization, { caller, until_ms: Date.now() + CALLER_CACHE_MS })
  }
}
