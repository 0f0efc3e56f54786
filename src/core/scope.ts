/**
 * Whose data a call may touch. Every store function takes one; there is no default,
 * because forgetting the tenant must not compile.
 */
export type Scope = {
  readonly organizationId: string
  readonly namespaceId: string
  /** Who acts, for the audit log; absent where the server acts by itself. */
  readonly actor?: Actor
  /** For lists under a key with scopes: the filter that leaves out what the key may not see. */
  readonly visible?: Readonly<Record<string, unknown>>
}

/** The user and key behind a request, and where it came from. */
export type Actor = {
  readonly keyId: string
  readonly userId: string | null
  readonly ipAddress: string | null
  readonly userAgent: string | null
  readonly requestId: string
}

/** The part of a scope that organization-wide resources (namespaces, tasks, keys) need. */
export type OrganizationScope = Pick<Scope, 'organizationId' | 'actor' | 'visible'>
