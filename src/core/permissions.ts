import type { ResourceScope } from './key-scopes.ts'

/** What a key may do; each permission implies those before it. */
export const PERMISSIONS = ['read', 'write', 'delete', 'admin'] as const
export type Permission = (typeof PERMISSIONS)[number]

/** What a user is; it caps what the user's keys may do. */
export const USER_ROLES = ['admin', 'member', 'viewer'] as const
export type UserRole = (typeof USER_ROLES)[number]

/** The highest permission that a key of such a user may have. */
export const ROLE_CAPS: Record<UserRole, Permission> = { viewer: 'read', member: 'delete', admin: 'admin' }

export const includesPermission = (held: Permission, needed: Permission): boolean =>
  PERMISSIONS.indexOf(held) >= PERMISSIONS.indexOf(needed)

/** The highest of a list; a key without any may read. */
export function highestPermission(permissions: readonly Permission[]): Permission {
  return PERMISSIONS.findLast((one) => permissions.includes(one)) ?? 'read'
}

/** What rate limits and usage tell apart (contract, rate limits). */
export const RATE_CATEGORIES = ['metadata', 'data', 'search', 'upload', 'compute'] as const
export type RateCategory = (typeof RATE_CATEGORIES)[number]
export type RateLimits = Record<RateCategory, number>

/** Who sent a request, from its API key. */
export type Caller = {
  organizationId: string
  keyId: string
  /** The user whom the key belongs to; null for a key of the server itself. */
  userId: string | null
  /** The highest permission of the key, capped by the role of its user. */
  permission: Permission
  /** Empty: everything. Else at least one must match what a request concerns. */
  scopes: readonly ResourceScope[]
  /** Browser origins that may use the key; empty: any. */
  allowedOrigins: readonly string[]
  /** Milliseconds since 1970 from which on the key no longer works. */
  expires_at_ms: number
  /** Requests a minute by category; null: no limit. */
  rateLimits: RateLimits | null
  /** Whether reading single resources is written to the audit log. */
  auditsReads: boolean
}
