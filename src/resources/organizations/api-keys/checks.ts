import { KuraError, valueError } from '../../../core/errors.ts'
import { isCovered, type ResourceScope } from '../../../core/key-scopes.ts'
import {
  type Caller,
  highestPermission,
  includesPermission,
  type Permission,
  ROLE_CAPS,
  type UserRole,
} from '../../../core/permissions.ts'
import { parseInstant, toTimestamp } from '../../../core/time.ts'
import { ROOT_KEY_NAME } from '../bootstrap.ts'

/** Lists become filters, and a filter with patterns has a limited length. */
const STARS_MAX = 8

/** A key can never do more than its maker or its owner. Throws `permission_exceeded`. */
export function checkPermissions(permissions: readonly Permission[], maker: Caller, role: UserRole): void {
  const asked = highestPermission(permissions)
  const refuse = (holder: string, allowed: Permission) => {
    throw new KuraError('permission_exceeded', { holder, allowed })
  }
  if (!includesPermission(maker.permission, asked)) refuse('the key that makes it', maker.permission)
  if (!includesPermission(ROLE_CAPS[role], asked)) refuse('its owner', ROLE_CAPS[role])
}

/** A key with scopes can only make keys with the same or narrower ones. */
export function checkScopes(scopes: readonly ResourceScope[], maker: Caller): void {
  for (const [i, { resource_id }] of scopes.entries())
    if (resource_id.split('*').length - 1 > STARS_MAX)
      throw valueError(['body', 'scopes', i, 'resource_id'], `A pattern may hold at most ${STARS_MAX} stars`)
  if (maker.scopes.length === 0) return
  if (scopes.length === 0 || !scopes.every((one) => isCovered(one, maker.scopes)))
    throw new KuraError('scope_denied')
}

/** The name in its stored form; the name of the server's own key is not free. */
export function checkedName(value: string): string {
  const name = value.trim()
  if (name === '')
    throw valueError(['body', 'name'], 'String should have at least 1 character', 'string_too_short')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\u0000-\u001f\u007f-\u009f/]/.test(name))
    throw valueError(['body', 'name'], 'A name may not contain "/" or control characters')
  if (name === ROOT_KEY_NAME) throw new KuraError('reserved_name', { name })
  return name
}

/** The stored form of an expiry, which must lie ahead. */
export function checkedExpiry(value: string, now_ms: number): string {
  const at_ms = parseInstant(value)!
  if (at_ms <= now_ms) throw valueError(['body', 'expires_at'], 'The expiry must lie in the future')
  return toTimestamp(at_ms)
}

/** Origins as browsers send them: scheme and host, nothing after; or `*`. */
export function checkedOrigins(origins: readonly string[]): string[] {
  return origins.map((origin, i) => {
    if (origin === '*' || (URL.canParse(origin) && new URL(origin).origin === origin)) return origin
    throw valueError(
      ['body', 'allowed_origins', i],
      'An origin looks like https://example.com, without a path',
    )
  })
}
