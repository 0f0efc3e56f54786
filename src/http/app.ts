import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { ScopeOperation } from '../core/key-scopes.ts'
import type { PageBounds, PageRequest } from '../core/pagination.ts'
import type { Caller, Permission, RateCategory } from '../core/permissions.ts'
import type { Scope } from '../core/scope.ts'
import type { RouteAccess } from './access.ts'
import type { RouteTable } from './route-table.ts'

/** Lets a handler see the types of its TypeBox schemas. */
export interface TypeBoxProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxProvider
>

/** What a route declares besides its schemas. */
export type RouteConfig = {
  /** Absent: the route needs no key. */
  permission?: Permission
  /** `organization` routes ignore X-Namespace; the default is `namespace`. */
  scope?: 'namespace' | 'organization'
  /** What a scope of a key must allow; the default follows from method and path (access.ts). */
  operation?: ScopeOperation
  /** What the route counts as for rate limits and usage; the default follows from the path. */
  rate_category?: RateCategory
  /** All that is decided about the route; filled in when it is registered, never declared. */
  access?: RouteAccess
  /** Makes the route a list: paging is read from body and query within these bounds, into `request.page`. */
  paging?: PageBounds
  /** Rewrites spellings that clients send into the canonical body, before it is checked. */
  normalize?: (body: unknown) => unknown
  /** The handler reads the body as a stream: it may be large and take long. */
  streams?: boolean
  /** Left out of the OpenAPI document (pages, aliases of documented operations). */
  hidden?: boolean
}

declare module 'fastify' {
  interface FastifyContextConfig extends RouteConfig {}
  interface FastifyInstance {
    routeTable: RouteTable
  }
  interface FastifyRequest {
    caller: Caller
    scope: Scope
    page: PageRequest
    /** Why the body could not be read. */
    bodyFault: Error | undefined
  }
  interface FastifySchema {
    operationId?: string
    summary?: string
    description?: string
    tags?: readonly string[]
  }
}
