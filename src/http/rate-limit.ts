import { KuraError } from '../core/errors.ts'
import type { App } from './app.ts'
import { TokenBuckets } from './token-buckets.ts'

/**
 * Limits the requests of a key by category and minute, where its organization or the key itself has
 * limits; the answers then tell what is left. Routes without a key (health, files) are not limited.
 */
export function registerRateLimit(app: App, buckets = new TokenBuckets()): void {
  app.addHook('onRequest', (request, reply, done) => {
    const limits = request.caller?.rateLimits
    const { access } = request.routeOptions.config
    if (!limits || !access) return done()
    const { category } = access
    const limit = limits[category]
    const { is_allowed, remaining, reset_s, retry_after_s } = buckets.take(
      `${request.caller.keyId} ${category}`,
      limit,
    )
    reply.header('x-ratelimit-limit', limit)
    reply.header('x-ratelimit-remaining', remaining)
    reply.header('x-ratelimit-reset', reset_s)
    reply.header('x-ratelimit-window', '1m')
    if (is_allowed) return done()
    done(
      new KuraError('rate_limited', { limit, window: '1m', retry_after: retry_after_s, api_name: category }),
    )
  })
}
