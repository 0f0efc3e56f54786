import type { FastifyRequest } from 'fastify'
import { KuraError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import {
  allowsOperation,
  namesResource,
  type ResourceScope,
  type ScopedResource,
  scopesAllow,
  visibilityFilter,
} from '../core/key-scopes.ts'
import type { ListedType, RouteAccess, ScopedPathType } from './access.ts'

/** Ids and names behind what a request names; asked for keys with scopes only. */
export type ScopedResources = {
  namespaces(organizationId: string): Promise<{ id: string; name: string }[]>
  organization(organizationId: string): Promise<{ id: string; name: string }>
  /** The resource of a namespace (or of the organization) with this id or name; undefined when there is none. */
  find(
    place: { organizationId: string; namespaceId: string },
    type: ScopedPathType,
    identifier: string,
  ): Promise<ScopedResource[] | undefined>
}

/** Members by which the lists know their resources. */
const LIST_FIELDS: Record<Exclude<ListedType, 'task'>, { id_field: string; name_field: string }> = {
  namespace: { id_field: 'namespace_id', name_field: 'namespace_name' },
  bucket: { id_field: 'bucket_id', name_field: 'bucket_name' },
  collection: { id_field: 'collection_id', name_field: 'collection_name' },
  retriever: { id_field: 'retriever_id', name_field: 'retriever_name' },
}

/** The namespaces of which a scoped key sees all or something: a key without namespace scopes looks into all. */
export async function visibleNamespaces(
  { caller }: FastifyRequest,
  resources: ScopedResources,
): Promise<{ id: string; name: string }[]> {
  const all = await resources.namespaces(caller.organizationId)
  const named = caller.scopes.filter(({ resource_type }) => resource_type === 'namespace')
  if (named.length < caller.scopes.length) return all
  return all.filter(({ id, name }) => named.some((scope) => namesResource(scope, id, name)))
}

/**
 * Checks what a key with scopes asks for. Throws `scope_denied`; for a list returns the filter that
 * leaves out what the key may not see, null when it may see everything.
 */
export async function checkScopes(
  request: FastifyRequest,
  access: RouteAccess,
  namespaceId: string,
  resources: ScopedResources,
): Promise<Record<string, unknown> | null> {
  const { caller } = request
  const { scopes, organizationId } = caller
  const organization = await resources.organization(organizationId)
  const whole: ScopedResource[] = [{ type: 'organization', ...organization }]
  if (scopesAllow(scopes, access.operation, whole)) return null
  const namespaces = await resources.namespaces(organizationId)
  const namespace = namespaces.find(({ id }) => id === namespaceId)
  const around: ScopedResource[] = namespace ? [{ type: 'namespace', ...namespace }] : []
  if (access.makes_namespace) checkNewName(request, scopes, access)
  else if (around.length > 0 && scopesAllow(scopes, access.operation, around)) return null

  const params = (request.params ?? {}) as Record<string, string>
  const named: ScopedResource[] = []
  for (const { parameter, type } of access.resources) {
    const identifier = params[parameter]
    // The bucket that a path names decides for the objects and batches in it; alone they are looked up.
    if (identifier === undefined || (named.length > 0 && !isScopeType(type))) continue
    const found = await resources.find({ organizationId, namespaceId }, type, identifier)
    // What does not exist is told apart from what is forbidden only for those who may see either.
    if (found) named.push(...found)
    else if (isScopeType(type)) named.push({ type, id: identifier })
    else if (type === 'task') return null
  }
  if (named.length > 0 && scopesAllow(scopes, access.operation, named)) return null
  if (access.makes_namespace && named.length === 0) return null
  if (access.lists === null || (namespaceId !== '' && isForeign(scopes))) throw new KuraError('scope_denied')
  return visibleIn(scopes, access.lists, namespaces)
}

const isScopeType = (type: ScopedPathType): type is ScopedResource['type'] =>
  type !== 'object' && type !== 'batch' && type !== 'task'

/** Only namespaces are named, and none of them was this one: there is nothing that could be shown. */
const isForeign = (scopes: readonly ResourceScope[]) =>
  scopes.every(({ resource_type }) => resource_type === 'namespace' || resource_type === 'organization')

function visibleIn(
  scopes: readonly ResourceScope[],
  lists: ListedType,
  namespaces: readonly { id: string; name: string }[],
): Record<string, unknown> | null {
  if (lists !== 'task') return visibilityFilter(scopes, { type: lists, ...LIST_FIELDS[lists] })
  const seen = namespaces.filter(({ id, name }) =>
    scopes.some(
      (scope) =>
        scope.resource_type === 'namespace' &&
        allowsOperation(scope, 'read_data') &&
        namesResource(scope, id, name),
    ),
  )
  return {
    case_sensitive: true,
    field: 'namespace_id',
    operator: 'in',
    value: ['', ...seen.map(({ id }) => id)],
  }
}

/** A new namespace must be one that the key may then use. */
function checkNewName(
  { body }: FastifyRequest,
  scopes: readonly ResourceScope[],
  { operation }: RouteAccess,
): void {
  const name = isObject(body) ? (body.namespace_name ?? body.name) : undefined
  const isCovered =
    typeof name === 'string' &&
    scopes.some(
      (scope) =>
        scope.resource_type === 'namespace' &&
        allowsOperation(scope, operation) &&
        namesResource(scope, name.trim()),
    )
  if (!isCovered) throw new KuraError('scope_denied')
}
