import { instantOf } from '../filters/scalars.ts'
import type { DatePartUnit, DateTruncUnit } from './schemas.ts'

const DAY_MS = 86_400_000

/** How many characters of a stored instant (`2026-03-01T10:20:30.000000Z`) a unit keeps, and what follows them. */
const KEPT: Record<Exclude<DateTruncUnit, 'week'>, [length: number, rest: string]> = {
  year: [4, '-01-01T00:00:00.000000Z'],
  month: [7, '-01T00:00:00.000000Z'],
  day: [10, 'T00:00:00.000000Z'],
  hour: [13, ':00:00.000000Z'],
  minute: [16, ':00.000000Z'],
  second: [19, '.000000Z'],
}

/** The start, in UTC, of the unit that an instant lies in; weeks start on Monday (ISO 8601). Null for what names no instant. */
export function truncateDate(value: unknown, unit: DateTruncUnit): string | null {
  const instant = typeof value === 'string' ? instantOf(value) : null
  if (instant === null) return null
  if (unit !== 'week') {
    const [length, rest] = KEPT[unit]
    return instant.slice(0, length) + rest
  }
  const day_ms = midnight(instant)
  const monday = new Date(day_ms - ((weekday(day_ms) + 6) % 7) * DAY_MS)
  // The week of the first days of year 1 begins in a year that stored instants cannot name.
  return monday.getUTCFullYear() < 1
    ? '0001-01-01T00:00:00.000000Z'
    : `${monday.toISOString().slice(0, 19)}.000000Z`
}

/** A part of an instant in UTC: `dayOfWeek` 1 is Sunday, `week` that of ISO 8601. Null for what names no instant. */
export function partOfDate(value: unknown, unit: DatePartUnit): number | null {
  const instant = typeof value === 'string' ? instantOf(value) : null
  if (instant === null) return null
  switch (unit) {
    case 'year':
      return Number(instant.slice(0, 4))
    case 'month':
      return Number(instant.slice(5, 7))
    case 'day':
      return Number(instant.slice(8, 10))
    case 'hour':
      return Number(instant.slice(11, 13))
    case 'minute':
      return Number(instant.slice(14, 16))
    case 'second':
      return Number(instant.slice(17, 19))
    case 'dayOfWeek':
      return weekday(midnight(instant)) + 1
    case 'dayOfYear':
      return dayOfYear(midnight(instant))
    case 'week':
      return isoWeek(midnight(instant))
  }
}

const midnight = (instant: string) => Date.parse(`${instant.slice(0, 10)}T00:00:00Z`)

/** 0 is Sunday. */
const weekday = (day_ms: number) => new Date(day_ms).getUTCDay()

function dayOfYear(day_ms: number): number {
  const year = String(new Date(day_ms).getUTCFullYear()).padStart(4, '0')
  return Math.round((day_ms - Date.parse(`${year}-01-01T00:00:00Z`)) / DAY_MS) + 1
}

/** ISO 8601: a week belongs to the year of its Thursday. */
function isoWeek(day_ms: number): number {
  const thursday_ms = day_ms + (3 - ((weekday(day_ms) + 6) % 7)) * DAY_MS
  return Math.floor((dayOfYear(thursday_ms) - 1) / 7) + 1
}
