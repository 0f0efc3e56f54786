import type { ScopeOperation, ScopeResourceType } from '../core/key-scopes.ts'
import type { Permission, RateCategory } from '../core/permissions.ts'
import type { App, RouteConfig } from './app.ts'

/** What is decided about a route once, when it is registered: who may use it, and how it is counted. */
export type RouteAccess = {
  /** What a scope of a key must allow. */
  operation: ScopeOperation
  category: RateCategory
  /** Method and pattern of the path. */
  endpoint: string
  /** Path parameters that name resources, the innermost last. */
  resources: readonly { parameter: string; type: ScopedPathType }[]
  /** A list of such resources: what a scoped key may not see is left out. */
  lists: ListedType | null
  /** What the audit log tells of a single read, when the organization asks for it. */
  read_action: ReadAction | null
  /** The route makes or copies a namespace, whose name must fit the scopes. */
  makes_namespace: boolean
}

/** The audit action of a read, and the path parameter that names what is read; null: nothing does. */
export type ReadAction = { action: string; resource_type: AuditedType; parameter: string | null }

/** The contract has no action for objects and documents: reading one is an access to what holds it. */
export type AuditedType = ScopeResourceType | 'object' | 'document'

/** Types of path parameters; objects, batches and tasks are looked up for what holds them. */
export type ScopedPathType = ScopeResourceType | 'object' | 'batch' | 'task'

const LISTED = ['namespace', 'bucket', 'collection', 'retriever', 'task'] as const
export type ListedType = (typeof LISTED)[number]

const AUDITED_READS = [
  'namespace',
  'bucket',
  'collection',
  'retriever',
  'cluster',
  'taxonomy',
  'alert',
] as const

/** Adds the decision to every route with a permission; MUST be called before any route is registered. */
export function registerAccess(app: App): void {
  app.addHook('onRoute', (route) => {
    const config = route.config as RouteConfig | undefined
    if (config?.permission === undefined) return
    const method = [route.method].flat()[0]!
    route.config = { ...config, access: decideAccess(method, route.url, config) } as typeof route.config
  })
}

/** The access of a route: what it declares, else what its method and path say (contract, API keys). */
export function decideAccess(method: string, url: string, config: RouteConfig): RouteAccess {
  const segments = url
    .replace(/^\/v1\//, '')
    .split('/')
    .filter(Boolean)
  const resources = [...url.matchAll(/:(\w+)/g)].flatMap(([, parameter]) => {
    const type = typeOfParameter(parameter!)
    return type ? [{ parameter: parameter!, type }] : []
  })
  const operation = config.operation ?? defaultOperation(method, segments, config.permission!)
  return {
    operation,
    category: config.rate_category ?? categoryOf(segments, operation),
    endpoint: `${method} ${url}`,
    resources,
    lists: listedType(segments, config.permission!),
    read_action: readAction(method, segments, operation),
    makes_namespace:
      method === 'POST' && segments[0] === 'namespaces' && (segments.length === 1 || segments[2] === 'clone'),
  }
}

const PARAMETERS: Record<string, ScopedPathType> = {
  namespace: 'namespace',
  bucket: 'bucket',
  collection: 'collection',
  retriever: 'retriever',
  cluster: 'cluster',
  taxonomy: 'taxonomy',
  alert: 'alert',
  connection: 'storage_connection',
  object: 'object',
  batch: 'batch',
  task: 'task',
}

function typeOfParameter(parameter: string): ScopedPathType | undefined {
  if (parameter === 'user_email') return 'user'
  if (parameter === 'key_id' || parameter === 'key_name') return 'api_key'
  const noun = /^(\w+?)_(?:id|identifier|name)$/.exec(parameter)?.[1]
  return noun ? PARAMETERS[noun] : undefined
}

const CANCELS = new Set(['cancel', 'kill'])
const RUNS = new Set(['submit', 'retry', 'trigger', 'execute', 'resume', 'pause', 'syncs', 'triggers'])

function defaultOperation(
  method: string,
  segments: readonly string[],
  permission: Permission,
): ScopeOperation {
  const [noun = '', , child] = segments
  const last = segments.at(-1)!
  if (noun === 'retrievers' && segments.includes('execute')) return 'execute_retriever'
  if (CANCELS.has(last)) return 'cancel_job'
  if (permission === 'read') return 'read_data'
  if (noun === 'tasks') return 'cancel_job'
  if (noun === 'organizations')
    return segments[1] === 'connections' ? 'modify_infrastructure' : 'manage_permissions'
  if (segments.some((one) => RUNS.has(one))) return 'execute_job'
  if (noun === 'retrievers') return method === 'DELETE' ? 'delete_retriever' : 'create_retriever'
  if (noun === 'clusters')
    return method === 'DELETE'
      ? 'delete_cluster'
      : segments.length === 1
        ? 'create_cluster'
        : 'modify_cluster'
  const isInside = child !== undefined && ['objects', 'uploads', 'batches', 'documents'].includes(child)
  if (!isInside && CONTAINERS.has(noun)) return 'modify_infrastructure'
  return method === 'DELETE' ? 'delete_data' : 'write_data'
}

const CONTAINERS = new Set(['namespaces', 'buckets', 'collections', 'taxonomies', 'alerts'])

function categoryOf(segments: readonly string[], operation: ScopeOperation): RateCategory {
  if (operation === 'execute_retriever') return 'search'
  if (operation === 'execute_job') return 'compute'
  if (segments.includes('uploads')) return 'upload'
  return segments.some((one) => one === 'objects' || one === 'documents' || one === 'batches')
    ? 'data'
    : 'metadata'
}

function listedType(segments: readonly string[], permission: Permission): ListedType | null {
  const [noun = '', rest] = segments
  const type = LISTED.find((one) => `${one}s` === noun)
  const isList = segments.length === 1 || (segments.length === 2 && rest === 'list')
  return permission === 'read' && type && isList ? type : null
}

function readAction(
  method: string,
  segments: readonly string[],
  operation: ScopeOperation,
): RouteAccess['read_action'] {
  const parameter = segments.findLast((one) => one.startsWith(':'))?.slice(1) ?? null
  if (operation === 'execute_retriever')
    return { action: 'retriever_queried', resource_type: 'retriever', parameter }
  const [noun, id, inner, inner_id, ...rest] = segments
  const type = AUDITED_READS.find((one) => (one === 'taxonomy' ? 'taxonomies' : `${one}s`) === noun)
  if (!type || method !== 'GET' || !id?.startsWith(':') || rest.length > 0) return null
  const action = `${type}_accessed`
  if (inner === undefined) return { action, resource_type: type, parameter }
  if (!inner_id?.startsWith(':')) return null
  if (type === 'bucket' && inner === 'objects') return { action, resource_type: 'object', parameter }
  if (type === 'collection' && inner === 'documents') return { action, resource_type: 'document', parameter }
  return null
}
