import { RATE_CATEGORIES, type RateLimits } from '../../core/permissions.ts'

/** What an organization without limits reports (contract, rate limits). */
const UNLIMITED = 1_000_000

const same = (limit: number) => Object.fromEntries(RATE_CATEGORIES.map((one) => [one, limit])) as RateLimits

type Sources = {
  /** Of the server; 0: limits are off. */
  configured: number
  organization: RateLimits | null
  override: number | null
}

/** The limits that hold for a key: its own, else those of its organization, else the server's; null: none. */
export function effectiveLimits({ configured, organization, override }: Sources): RateLimits | null {
  if (override !== null) return same(override)
  if (configured === 0) return null
  return organization ?? same(configured)
}

/** What an organization is told about its limits. */
export const reportedLimits = ({ configured, organization }: Omit<Sources, 'override'>): RateLimits =>
  organization ?? same(configured || UNLIMITED)
