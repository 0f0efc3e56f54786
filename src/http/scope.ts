import type { FastifyRequest } from 'fastify'
import { KuraError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import { type ScopedResources, visibleNamespaces } from './key-scopes.ts'

/** `is_deleting`, `is_cloning`: it can be read while it goes, or is filled by a clone, and not written. */
export type FoundNamespace = { namespace_id: string; is_deleting: boolean; is_cloning: boolean }

/** Where the namespace of a request is looked up; all look-ups stay inside one organization. */
export type NamespaceLookup = {
  /** By id first, then by exact name. */
  find(organizationId: string, identifier: string): Promise<FoundNamespace | undefined>
  /** The namespace that holds a resource with this id. */
  ownerOf(organizationId: string, resource_id: string): Promise<FoundNamespace | undefined>
  /** The only namespace of the organization, else the one named `default`. */
  fallback(organizationId: string): Promise<FoundNamespace | undefined>
}

/** Ids in a path that tell the namespace when no header does. */
const RESOURCE_ID = /^(?:bkt|obj|btch|col|ret)_/

/**
 * The namespace of a request, in the order of the contract: X-Namespace, X-Namespace-Id, body,
 * owner of an id in the path, the only or default namespace.
 */
export async function resolveNamespace(
  request: FastifyRequest,
  lookup: NamespaceLookup,
  resources: ScopedResources,
): Promise<FoundNamespace> {
  const { organizationId } = request.caller
  const named = namedNamespace(request)
  if (named) {
    const found = await lookup.find(organizationId, named)
    if (!found) throw new KuraError('namespace_not_found', { resource: 'namespace', id: named })
    return found
  }
  for (const value of Object.values((request.params ?? {}) as Record<string, string>)) {
    const owner = RESOURCE_ID.test(value) ? await lookup.ownerOf(organizationId, value) : undefined
    if (owner) return owner
  }
  const fallback =
    request.caller.scopes.length > 0
      ? await onlyVisible(request, lookup, resources)
      : await lookup.fallback(organizationId)
  if (!fallback) throw new KuraError('namespace_required')
  return fallback
}

/** As the fallback, among the namespaces that the key can see. */
async function onlyVisible(
  request: FastifyRequest,
  lookup: NamespaceLookup,
  resources: ScopedResources,
): Promise<FoundNamespace | undefined> {
  const visible = await visibleNamespaces(request, resources)
  const chosen = visible.length === 1 ? visible[0] : visible.find(({ name }) => name === 'default')
  return chosen && lookup.find(request.caller.organizationId, chosen.id)
}

function namedNamespace({ headers, body }: FastifyRequest): string | undefined {
  const inBody = isObject(body) ? [body.namespace_id, body.namespace] : []
  for (const candidate of [headers['x-namespace'], headers['x-namespace-id'], ...inBody]) {
    if (typeof candidate === 'string' && candidate.trim() !== '') return candidate.trim()
  }
  return undefined
}
