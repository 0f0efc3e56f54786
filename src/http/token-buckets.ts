import { type Clock, systemClock } from '../core/time.ts'

type Bucket = { tokens: number; limit: number; at_ms: number }

const MINUTE_MS = 60_000
const BUCKETS_MAX = 20_000

/** What is left of a limit after a request: whole requests, and seconds until the bucket is full again. */
export type Remaining = { is_allowed: boolean; remaining: number; reset_s: number; retry_after_s: number }

/**
 * Token buckets by name: each holds what may be used in a minute at most, and fills up again evenly.
 * They live in this process; several servers each count for themselves.
 */
export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>()
  readonly #clock: Clock

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Takes a token where there is one. `limit` is what fits into the bucket, and what flows in a minute. */
  take(name: string, limit: number): Remaining {
    const bucket = this.#filled(name, limit)
    const is_allowed = bucket.tokens >= 1
    if (is_allowed) bucket.tokens -= 1
    return {
      is_allowed,
      remaining: Math.floor(bucket.tokens),
      reset_s: Math.ceil(((limit - bucket.tokens) / limit) * 60),
      retry_after_s: is_allowed ? 0 : secondsUntilToken(bucket),
    }
  }

  /** Seconds until a token is there; 0 when one is. Takes none. */
  wait_s(name: string, limit: number): number {
    const bucket = this.#filled(name, limit)
    return bucket.tokens >= 1 ? 0 : secondsUntilToken(bucket)
  }

  #filled(name: string, limit: number): Bucket {
    const now_ms = this.#clock.now()
    let bucket = this.#buckets.get(name)
    if (!bucket || bucket.limit !== limit) {
      if (this.#buckets.size >= BUCKETS_MAX) this.#removeFull(now_ms)
      bucket = { tokens: limit, limit, at_ms: now_ms }
      this.#buckets.set(name, bucket)
      return bucket
    }
    const gained = (Math.max(0, now_ms - bucket.at_ms) / MINUTE_MS) * limit
    bucket.tokens = Math.min(limit, bucket.tokens + gained)
    bucket.at_ms = now_ms
    return bucket
  }

  /** A bucket untouched for a minute is full, and a full bucket is as good as none. */
  #removeFull(now_ms: number): void {
    for (const [name, { at_ms }] of this.#buckets) if (now_ms - at_ms >= MINUTE_MS) this.#buckets.delete(name)
    // Still as many: somebody invents names. Forgetting is kinder than growing without end.
    if (this.#buckets.size >= BUCKETS_MAX) this.#buckets.clear()
  }
}

const secondsUntilToken = ({ tokens, limit }: Bucket): number =>
  Math.max(1, Math.ceil(((1 - tokens) / limit) * 60))
