import type { FastifyRequest, FastifyServerOptions } from 'fastify'
import { KuraError, ValidationError, type Violation, valueError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { Actor } from '../core/scope.ts'
import { validator } from '../core/validation.ts'
import type { App } from './app.ts'
import { requirePermission } from './auth.ts'
import { checkScopes, type ScopedResources } from './key-scopes.ts'
import { readPage } from './paging.ts'
import { type NamespaceLookup, resolveNamespace } from './scope.ts'

/**
 * Our own checks run in the hook below, and answers are plain JSON. Given to Fastify at its creation,
 * these also spare it from loading the compilers it comes with, which takes 30 ms.
 */
export const COMPILERS = {
  compilersFactory: {
    buildValidator: () => () => () => true,
    buildSerializer: () => () => (data: unknown) => JSON.stringify(data),
  },
  // Fastify's types only know compilers made by the two libraries that this leaves out.
} as unknown as NonNullable<FastifyServerOptions['schemaController']>

type Options = {
  namespaces: NamespaceLookup
  resources: ScopedResources
}

/**
 * Checks a request in the order of the contract (permission, namespace, shape) and replaces body,
 * query and params by their coerced forms. Every violation of every part is reported at once.
 */
export function registerValidation(app: App, options: Options): void {
  app.decorateRequest('scope')
  app.decorateRequest('page')
  app.addHook('preValidation', async (request) => {
    if (request.is404) return
    const { permission } = request.routeOptions.config
    if (permission !== undefined) requirePermission(request.caller, permission)
    // PostgreSQL has no such character: no name or value holds it, and asking for one is an error there.
    if (request.url.includes('%00')) throw valueError(['path'], 'URLs may not contain the character U+0000')
    if (permission !== undefined) await authorize(request, options)
    if (request.bodyFault) throw request.bodyFault
    checkShape(request)
  })
}

/** Namespace and scopes of the key: after this, what the request may touch stands in `request.scope`. */
async function authorize(request: FastifyRequest, { namespaces, resources }: Options): Promise<void> {
  const { scope = 'namespace', access } = request.routeOptions.config
  const { caller } = request
  const { organizationId } = caller
  const namespaceId = scope === 'namespace' ? await namespaceOf(request, namespaces, resources) : ''
  request.scope = { organizationId, namespaceId, actor: actorOf(request) }
  if (caller.scopes.length === 0) return
  const visible = await checkScopes(request, access!, namespaceId, resources)
  if (visible) request.scope = { ...request.scope, visible }
}

/** Longer ones are cut: they are written down with every change. */
const USER_AGENT_MAX = 512

/** Who acts in a request, for the audit log. */
export function actorOf({ caller, headers, id, ip }: FastifyRequest): Actor {
  return {
    keyId: caller.keyId,
    userId: caller.userId,
    ipAddress: ip,
    userAgent: headers['user-agent']?.slice(0, USER_AGENT_MAX) ?? null,
    requestId: id,
  }
}

async function namespaceOf(
  request: FastifyRequest,
  namespaces: NamespaceLookup,
  resources: ScopedResources,
): Promise<string> {
  const { namespace_id, is_deleting, is_cloning } = await resolveNamespace(request, namespaces, resources)
  if (request.routeOptions.config.permission !== 'read') {
    if (is_deleting) throw new KuraError('resource_deleting', { resource: 'namespace' })
    if (is_cloning) throw new KuraError('namespace_cloning')
  }
  return namespace_id
}

function checkShape(request: FastifyRequest): void {
  const { schema, config } = request.routeOptions
  if (config.normalize) request.body = config.normalize(request.body)
  const violations: Violation[] = []
  if (config.paging) request.page = readPage(request.query, request.body, config.paging, violations)
  if (schema?.params) request.params = validator(schema.params)(request.params, ['path'], violations)
  if (schema?.querystring) request.query = validator(schema.querystring)(request.query, ['query'], violations)
  if (schema?.body) request.body = checkBody(schema.body, request, violations)
  if (violations.length > 0) throw new ValidationError(distinct(violations))
}

function checkBody(schema: unknown, { body, method }: FastifyRequest, violations: Violation[]): unknown {
  const optional =
    isObject(schema) && (!Array.isArray(schema.required) || requiredMembers(schema).length === 0)
  // Missing, empty and null bodies are equal where nothing in the body is required.
  if ((body === undefined || body === null) && optional)
    return validator(schema as object)({}, ['body'], violations)
  if (body === undefined || body === null) {
    violations.push({ loc: ['body'], msg: 'Field required', type: 'missing' })
    return undefined
  }
  if (method === 'GET') return body
  return validator(schema as object)(body, ['body'], violations)
}

function requiredMembers({ required, properties }: Record<string, unknown>): unknown[] {
  if (!Array.isArray(required) || !isObject(properties)) return []
  return required.filter((key) => (properties[key as string] as { default?: unknown }).default === undefined)
}

function distinct(violations: Violation[]): Violation[] {
  const byPlace = new Map(
    violations.map((violation) => [`${violation.loc.join('.')} ${violation.type}`, violation]),
  )
  return [...byPlace.values()]
}
