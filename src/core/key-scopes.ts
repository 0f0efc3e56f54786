/** Operations that a scope of a key may be narrowed to (contract, API keys). */
export const SCOPE_OPERATIONS = [
  'read_data',
  'write_data',
  'delete_data',
  'execute_retriever',
  'create_retriever',
  'delete_retriever',
  'execute_job',
  'cancel_job',
  'create_cluster',
  'delete_cluster',
  'modify_cluster',
  'modify_infrastructure',
  'manage_permissions',
] as const
export type ScopeOperation = (typeof SCOPE_OPERATIONS)[number]

/** Resources that a scope may name. */
export const SCOPE_RESOURCE_TYPES = [
  'organization',
  'user',
  'api_key',
  'namespace',
  'collection',
  'bucket',
  'retriever',
  'cluster',
  'taxonomy',
  'storage_connection',
  'alert',
] as const
export type ScopeResourceType = (typeof SCOPE_RESOURCE_TYPES)[number]

/** One entry of a key's `scopes`; `resource_id` is an id, a name, or a pattern with `*`. */
export type ResourceScope = {
  resource_type: ScopeResourceType
  resource_id: string
  /** Absent or empty: all. */
  operations?: readonly ScopeOperation[] | null
}

/** A resource that a request concerns. */
export type ScopedResource = { type: ScopeResourceType; id: string; name?: string | null }

/** Whether one of the scopes allows the operation on one of the resources (the thing itself and what holds it). */
export function scopesAllow(
  scopes: readonly ResourceScope[],
  operation: ScopeOperation,
  resources: readonly ScopedResource[],
): boolean {
  return scopes.some(
    (scope) =>
      allowsOperation(scope, operation) &&
      resources.some(({ type, id, name }) => type === scope.resource_type && namesResource(scope, id, name)),
  )
}

export const allowsOperation = ({ operations }: ResourceScope, operation: ScopeOperation): boolean =>
  !operations || operations.length === 0 || operations.includes(operation)

/** Whether a scope names a resource with this id and name. */
export function namesResource({ resource_id }: ResourceScope, id: string, name?: string | null): boolean {
  return (
    matchesPattern(resource_id, id) ||
    (name !== null && name !== undefined && matchesPattern(resource_id, name))
  )
}

/**
 * Whether a text fits a pattern in which `*` stands for any run of characters and nothing else is
 * special. Linear in the text a star, so that no pattern can hold up the server.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const [head = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === text
  if (!text.startsWith(head)) return false
  const tail = rest.pop()!
  let from = head.length
  for (const part of rest) {
    const found = text.indexOf(part, from)
    if (found === -1) return false
    from = found + part.length
  }
  return text.length - tail.length >= from && text.endsWith(tail)
}

/** Whether everything that `inner` allows is also allowed by one of `outer`. */
export function isCovered(inner: ResourceScope, outer: readonly ResourceScope[]): boolean {
  const asked = inner.operations?.length ? inner.operations : SCOPE_OPERATIONS
  return outer.some(
    (scope) =>
      asked.every((operation) => allowsOperation(scope, operation)) &&
      (scope.resource_type === inner.resource_type
        ? // A star inside the narrower pattern is a character to the wider one, so "a*" covers "ab*".
          matchesPattern(scope.resource_id, inner.resource_id)
        : scope.resource_type === 'organization'),
  )
}

/**
 * What a list may show under the scopes of a key, in the filter grammar of management lists; null
 * when everything. Fields are the id and name members of the listed resource.
 */
export function visibilityFilter(
  scopes: readonly ResourceScope[],
  { type, id_field, name_field }: { type: ScopeResourceType; id_field: string; name_field: string },
): Record<string, unknown> | null {
  const patterns = scopes
    .filter((scope) => scope.resource_type === type && allowsOperation(scope, 'read_data'))
    .map(({ resource_id }) => resource_id)
  if (patterns.includes('*')) return null
  const conditions = patterns.flatMap((pattern) =>
    [id_field, name_field].map((field) => fits(field, pattern)),
  )
  // Ids are never empty, so this shows nothing.
  return {
    case_sensitive: true,
    OR: conditions.length > 0 ? conditions : [{ field: id_field, operator: 'eq', value: '' }],
  }
}

/** A list query under the scopes of a key: what the client asks for, of what the key may see. */
export function onlyVisible<T extends { filters?: unknown }>(
  query: T,
  { visible }: { readonly visible?: Readonly<Record<string, unknown>> },
): T {
  if (!visible) return query
  return { ...query, filters: query.filters ? { AND: [visible, query.filters] } : { ...visible } }
}

function fits(field: string, pattern: string): Record<string, unknown> {
  if (!pattern.includes('*')) return { field, operator: 'eq', value: pattern }
  const value = `^${pattern.split('*').map(escaped).join('(?s:.*)')}$`
  return { field, operator: 'regex', value }
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
