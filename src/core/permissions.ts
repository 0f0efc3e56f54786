/** What a key may do; each permission implies those before it. */
export const PERMISSIONS = ['read', 'write', 'delete', 'admin'] as const
export type Permission = (typeof PERMISSIONS)[number]

/** Who sent a request, from its API key. */
export type Caller = {
  organizationId: string
  keyId: string
  /** The user whom the key belongs to; null for a key of the server itself. */
  userId: string | null
  /** The highest permission of the key. */
  permission: Permission
}
