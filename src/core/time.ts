/** Where time comes from; tests hand in a clock of their own. */
export type Clock = { now(): number }

export const systemClock: Clock = { now: () => Date.now() }

let lastMicros = 0

/**
 * An instant as stored and sent: UTC ISO 8601 with six fractional digits, so that text order is
 * time order in every database. Two calls of one process never return the same value: rows made
 * in the same millisecond keep the order in which they were made.
 */
export function timestamp(clock: Clock = systemClock): string {
  const micros = Math.max(clock.now() * 1000, lastMicros + 1)
  if (clock === systemClock) lastMicros = micros
  return formatMicros(micros)
}

/** The stored form of a millisecond count since 1970. */
export function toTimestamp(epoch_ms: number): string {
  return formatMicros(epoch_ms * 1000)
}

function formatMicros(micros: number): string {
  const ms = Math.floor(micros / 1000)
  const rest = Math.floor(micros - ms * 1000)
  return `${new Date(ms).toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`
}

const ISO = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/

/** Milliseconds since 1970 (with fractions) of an ISO 8601 date or instant; no zone means UTC. Anything else: null. */
export function parseInstant(text: string): number | null {
  if (text.length < 10 || text.length > 40 || !ISO.test(text)) return null
  let iso = text.replace(' ', 'T')
  if (iso.length === 10) iso += 'T00:00:00Z'
  else if (!/(?:Z|[+-]\d{2}:?\d{2})$/.test(iso)) iso += 'Z'
  const ms = Date.parse(iso)
  if (Number.isNaN(ms)) return null
  // Date keeps milliseconds; digits four to six of the fraction are added so that order survives.
  const fraction = /\.\d{3}(\d{1,3})/.exec(iso)?.[1]
  return fraction ? ms + Number(fraction.padEnd(3, '0')) / 1000 : ms
}
