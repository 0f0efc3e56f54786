const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Waits after the first, second, … failed attempt (contract, webhooks). */
export const RETRY_DELAYS_MS = [
  10 * SECOND,
  1 * MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  6 * HOUR,
  12 * HOUR,
  24 * HOUR,
] as const

/** Attempts of one delivery. */
export const ATTEMPTS_MAX = RETRY_DELAYS_MS.length + 1

/** A receiver may ask for a longer wait than ours, up to this. */
const RETRY_AFTER_MAX_MS = 24 * HOUR

/**
 * How long to wait after this many failed attempts, or null when it was the last. `retry_after` is
 * the header of that name: seconds or an HTTP date (RFC 9110 §10.2.3); it prolongs the wait, never
 * shortens it.
 */
export function retryDelay(
  attempt_count: number,
  retry_after: string | undefined,
  now_ms: number,
): number | null {
  const planned_ms = RETRY_DELAYS_MS[attempt_count - 1]
  if (planned_ms === undefined) return null
  return Math.max(planned_ms, Math.min(waitOf(retry_after, now_ms), RETRY_AFTER_MAX_MS))
}

function waitOf(retry_after: string | undefined, now_ms: number): number {
  if (retry_after === undefined) return 0
  if (/^\s*\d{1,12}\s*$/.test(retry_after)) return Number(retry_after) * SECOND
  const at_ms = Date.parse(retry_after)
  return Number.isNaN(at_ms) ? 0 : Math.max(0, at_ms - now_ms)
}
