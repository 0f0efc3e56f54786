import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { KuraError, ValidationError } from '../core/errors.ts'
import type { App } from './app.ts'
import type { RouteTable } from './route-table.ts'

/** The common error envelope of the contract. */
export const ErrorResponse = Type.Object(
  {
    success: Type.Literal(false),
    status: Type.Integer(),
    error: Type.Object({
      message: Type.String(),
      type: Type.String(),
      code: Type.Optional(Type.String()),
      details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    }),
  },
  { $id: 'ErrorResponse' },
)

/** 422 carries the envelope and, beside it, the list that generated clients parse. */
export const HTTPValidationError = Type.Object(
  {
    detail: Type.Optional(
      Type.Array(
        Type.Object({
          loc: Type.Array(Type.Union([Type.String(), Type.Integer()])),
          msg: Type.String(),
          type: Type.String(),
        }),
      ),
    ),
  },
  { $id: 'HTTPValidationError', additionalProperties: true },
)

/** Spread into the `response` of a route. */
export const errorResponses = {
  400: ErrorResponse,
  401: ErrorResponse,
  403: ErrorResponse,
  404: ErrorResponse,
  409: ErrorResponse,
  413: ErrorResponse,
  422: HTTPValidationError,
  500: ErrorResponse,
} as const

type Options = {
  routes: RouteTable
  /** Told when a key may not do what only administrators may, before the answer is sent. */
  onRefused(request: FastifyRequest): Promise<void>
}

/** Turns whatever a handler throws into the envelope; only 5xx are logged with their cause. */
export function registerErrorHandler(app: App, { routes, onRefused }: Options): void {
  app.setErrorHandler((error, request, reply) => {
    const refusal = toKuraError(error, request)
    if (!isAdminRefusal(refusal, request)) return sendError(request, reply, refusal)
    return onRefused(request)
      .catch((err: unknown) => request.log.error({ err }, 'A refused attempt is not in the audit log.'))
      .then(() => sendError(request, reply, refusal))
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? request.url
    const allowed = routes.methodsOf(path)
    const error =
      allowed.length > 0
        ? new KuraError('method_not_allowed', { method: request.method, path, allowed })
        : new KuraError('route_not_found', { method: request.method, path })
    if (allowed.length > 0) reply.header('allow', allowed.join(', '))
    return sendError(request, reply, error)
  })
}

const REFUSALS: ReadonlySet<string> = new Set(['permission_denied', 'scope_denied', 'origin_denied'])

/** Whether only an administrator may use the route, or may do with it what the request asks for. */
function isAdminRefusal({ code, details }: KuraError, request: FastifyRequest): boolean {
  if (!request.caller || !REFUSALS.has(code)) return false
  return request.routeOptions.config.permission === 'admin' || details.permission === 'admin'
}

function toKuraError(error: unknown, request: FastifyRequest): KuraError {
  if (error instanceof KuraError) return error
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new KuraError('payload_too_large', {
      limit_bytes: request.routeOptions.bodyLimit ?? request.server.initialConfig.bodyLimit,
    })
  // What Fastify refuses on its own (bad Content-Length, malformed URL) is the client's fault, in its words.
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new KuraError('bad_request', { reason: message })
  return new KuraError('internal_error', {}, { cause: error })
}

function sendError(request: FastifyRequest, reply: FastifyReply, error: KuraError) {
  const { status } = error.row
  if (status >= 500)
    request.log.error({ err: error.cause ?? error, code: error.code, request_id: request.id }, error.message)
  if (status === 429 || status === 503) reply.header('retry-after', String(error.details.retry_after ?? 1))
  return reply.code(status).type('application/json; charset=utf-8').send(envelope(error))
}

/** For requests that Fastify refuses before it has a route for them: paths that cannot be decoded, or too long ids. */
export function refuseUnroutable(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id)
  sendError(request, reply, toKuraError(error, request))
}

/** The body of an error answer. A 422 carries beside the envelope the list that generated clients parse. */
export function envelope(error: KuraError): Record<string, unknown> {
  const { status, type } = error.row
  const violations =
    error instanceof ValidationError
      ? error.violations
      : status === 422
        ? [{ loc: ['body'], msg: error.message, type: error.code }]
        : null
  const details =
    error instanceof ValidationError
      ? {
          ...error.details,
          validation_errors: error.violations.map(({ loc, msg, type }) => ({
            type,
            location: loc,
            message: msg,
          })),
        }
      : error.details
  return {
    success: false,
    status,
    error: {
      message: error.message,
      type,
      code: error.code,
      ...(Object.keys(details).length > 0 && { details }),
    },
    ...(violations && { detail: violations }),
  }
}
