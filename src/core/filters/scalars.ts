/**
 * How text stands for other kinds of value. SQL functions of the same meaning exist in both
 * databases (platform/db/filters); what is accepted here is what they accept.
 */

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?$/

/** Bounded so that no spelling overflows or underflows a double. */
const NUMBER = /^[+-]?\d{1,20}(?:\.\d{1,24})?(?:[eE][+-]?\d{1,2})?$/

const INSTANT_LENGTH_MAX = 40
const MINUTE_MS = 60_000

/**
 * The instant that an ISO 8601 date or time names, in the stored form (UTC, six fractional digits,
 * further ones cut), so that comparing text compares instants. A date is its midnight, no zone
 * means UTC. Text that names no instant of the years 1 to 9999 gives null.
 */
export function instantOf(text: string): string | null {
  if (text.length < 10 || text.length > INSTANT_LENGTH_MAX) return null
  const match = INSTANT.exec(text)
  if (!match) return null
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  if (+hour > 23 || +minute > 59 || +second > 59 || !isDay(+year!, +month!, +day!)) return null
  const micros = fraction.slice(0, 6).padEnd(6, '0')
  if (zone === 'Z') return `${year}-${month}-${day}T${hour}:${minute}:${second}.${micros}Z`

  const offset = offsetMinutes(zone)
  if (offset === null) return null
  const local_ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  const utc = new Date(local_ms - offset * MINUTE_MS)
  if (utc.getUTCFullYear() < 1 || utc.getUTCFullYear() > 9999) return null
  return `${utc.toISOString().slice(0, 19)}.${micros}Z`
}

function offsetMinutes(zone: string): number | null {
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(-2))
  if (hours > 23 || minutes > 59) return null
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes)
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

function isDay(year: number, month: number, day: number): boolean {
  if (year < 1 || month < 1 || month > 12 || day < 1) return false
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= (month === 2 && leap ? 29 : DAYS[month - 1]!)
}

/** The number that text spells in plain or exponent notation; anything else is null. */
export function numberOf(text: string): number | null {
  return NUMBER.test(text) ? Number(text) : null
}
