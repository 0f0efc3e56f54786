import { KuraError } from '../../core/errors.ts'
import type { ResourceScope } from '../../core/key-scopes.ts'
import {
  type Caller,
  highestPermission,
  includesPermission,
  type Permission,
  type RateLimits,
  ROLE_CAPS,
  type UserRole,
} from '../../core/permissions.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { parseInstant } from '../../core/time.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import { effectiveLimits } from './limits.ts'

/** The caller behind the active, unexpired key with this hash; its user must be active too. */
export async function findCaller(
  db: DbOrTrx,
  key_hash: string,
  now: string,
  rate_limit_per_minute = 0,
): Promise<Caller | undefined> {
  const row = await db
    .selectFrom('api_keys as key')
    .innerJoin('organizations as organization', 'organization.organization_id', 'key.organization_id')
    .leftJoin('users as user', 'user.user_id', 'key.user_id')
    .select([
      'key.key_id',
      'key.organization_id',
      'key.user_id',
      'key.permissions',
      'key.scopes',
      'key.expires_at',
      'key.allowed_origins',
      'key.rate_limit_override',
      'organization.rate_limits',
      'organization.audits_reads',
      'user.role',
      'user.status as user_status',
    ])
    .where('key.key_hash', '=', key_hash)
    .where('key.status', '=', 'active')
    .executeTakeFirst()
  if (!row || (row.expires_at !== null && row.expires_at <= now)) return undefined
  if (row.user_id !== null && row.user_status !== 'active') return undefined
  return {
    organizationId: row.organization_id,
    keyId: row.key_id,
    userId: row.user_id,
    permission: capped(JSON.parse(row.permissions), row.role as UserRole | null),
    scopes: JSON.parse(row.scopes) as ResourceScope[],
    allowedOrigins: row.allowed_origins === null ? [] : JSON.parse(row.allowed_origins),
    expires_at_ms: row.expires_at === null ? Number.POSITIVE_INFINITY : parseInstant(row.expires_at)!,
    rateLimits: effectiveLimits({
      configured: rate_limit_per_minute,
      organization: row.rate_limits === null ? null : (JSON.parse(row.rate_limits) as RateLimits),
      override: row.rate_limit_override,
    }),
    auditsReads: row.audits_reads === 1,
  }
}

function capped(permissions: Permission[], role: UserRole | null): Permission {
  const held = highestPermission(permissions)
  const cap = role === null ? 'admin' : ROLE_CAPS[role]
  return includesPermission(cap, held) ? held : cap
}

/** The organization of a scope. */
export async function getOrganization(db: DbOrTrx, { organizationId }: OrganizationScope) {
  const row = await db
    .selectFrom('organizations')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .executeTakeFirst()
  if (!row) throw new KuraError('unauthorized')
  return row
}
