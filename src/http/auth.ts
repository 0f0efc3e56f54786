import type { FastifyRequest } from 'fastify'
import { KuraError } from '../core/errors.ts'
import { sha256 } from '../core/ids.ts'
import { type Caller, includesPermission, type Permission } from '../core/permissions.ts'
import { type Clock, systemClock } from '../core/time.ts'
import type { App } from './app.ts'
import { TokenBuckets } from './token-buckets.ts'

/** Finds the active key with this SHA-256 hash; undefined when there is none. */
export type FindCaller = (key_hash: string) => Promise<Caller | undefined>

/** A revoked key stops working everywhere within this time (contract, API keys). */
const CALLER_CACHE_MS = 5000
const CALLER_CACHE_MAX = 10_000

type Options = {
  findCaller: FindCaller
  callers: CallerCache
  /** Wrong keys that one address may send a minute; 0: any number. */
  failures_per_minute: number
}

/** Sets `request.caller` on routes that need a key; 401 before the body is read. */
export function registerAuth(app: App, { findCaller, callers, failures_per_minute }: Options): void {
  const failures = failures_per_minute > 0 ? new TokenBuckets() : undefined
  app.decorateRequest('caller')
  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.permission === undefined || request.is404) return done()
    const { authorization = '' } = request.headers
    const known = callers.get(authorization)
    if (known) return done(admit(request, known))
    const key = bearerKey(authorization)
    if (!key) return done(new KuraError('unauthorized'))
    // A key that has worked before is looked up however many wrong ones its address sends.
    const retry_after = callers.wasKnown(authorization)
      ? 0
      : (failures?.wait_s(request.ip, failures_per_minute) ?? 0)
    if (retry_after > 0) return done(new KuraError('too_many_wrong_keys', { retry_after }))
    const look_up = callers.begin()
    findCaller(sha256(key)).then((caller) => {
      if (caller) {
        callers.set(authorization, caller, look_up)
        return done(admit(request, caller))
      }
      failures?.take(request.ip, failures_per_minute)
      callers.forget(authorization)
      done(new KuraError('unauthorized'))
    }, done)
  })
}

/** A browser names its origin; other clients do not, and are not asked. */
function admit(request: FastifyRequest, caller: Caller): KuraError | undefined {
  request.caller = caller
  const { allowedOrigins } = caller
  if (allowedOrigins.length === 0) return undefined
  const { origin } = request.headers
  if (origin === undefined || allowedOrigins.includes('*') || allowedOrigins.includes(origin))
    return undefined
  return new KuraError('origin_denied')
}

/** 403 when the key may not do what the route does. */
export function requirePermission(caller: Caller, permission: Permission): void {
  if (!includesPermission(caller.permission, permission))
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

type LookUp = { at_ms: number; generation: number }

/** Callers by their header, so that a request of a known key hashes nothing and asks nobody. */
export class CallerCache {
  readonly #known = new Map<string, { caller: Caller; until_ms: number }>()
  readonly #clock: Clock
  #generation = 0

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  get(authorization: string): Caller | undefined {
    const hit = this.#known.get(authorization)
    return hit && hit.until_ms > this.#clock.now() ? hit.caller : undefined
  }

  /** Whether the header was right when it was last looked up. */
  wasKnown(authorization: string): boolean {
    return this.#known.has(authorization)
  }

  /** Begins a look-up of a key; `set` wants what this returns. */
  begin(): LookUp {
    return { at_ms: this.#clock.now(), generation: this.#generation }
  }

  /** What a look-up found counts from its begin on: a key may have been revoked while it went on. */
  set(authorization: string, caller: Caller, { at_ms, generation }: LookUp): void {
    if (this.#known.size >= CALLER_CACHE_MAX) this.#known.clear()
    const isStale = generation !== this.#generation
    const until_ms = isStale ? 0 : Math.min(at_ms + CALLER_CACHE_MS, caller.expires_at_ms)
    this.#known.set(authorization, { caller, until_ms })
  }

  forget(authorization: string): void {
    this.#known.delete(authorization)
  }

  /** After a change of keys or users, so that it holds at once in this process; others follow within 5 s. */
  expire(): void {
    this.#generation++
    for (const entry of this.#known.values()) entry.until_ms = 0
  }
}
