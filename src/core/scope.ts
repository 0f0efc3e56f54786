/**
 * Whose data a call may touch. Every store function takes one; there is no default,
 * because forgetting the tenant must not compile.
 */
export type Scope = {
  readonly organizationId: string
  readonly namespaceId: string
}

/** The part of a scope that organization-wide resources (namespaces, tasks, keys) need. */
export type OrganizationScope = Pick<Scope, 'organizationId'>
