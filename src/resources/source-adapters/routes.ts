import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { KuraError } from '../../core/errors.ts'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import type { App } from '../../http/app.ts'
import { decodeBody, parseBody } from '../../http/body.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { TokenBuckets } from '../../http/token-buckets.ts'
import { ListEventsQuery, ListEventsResponse, ReceivedEvents, SourceEvent } from './schemas.ts'
import type { Incoming, SourceAdapterService } from './service.ts'

const EVENTS = '/buckets/:bucket_identifier/source-adapter/events'
const Params = Type.Object({ bucket_identifier: Type.String() })
const EventParams = Type.Object({ bucket_identifier: Type.String(), event_key: Type.String() })
const tags = ['buckets']
/** What comes in are objects, so keys need what writing objects needs. */
const WRITES = { permission: 'write', operation: 'write_data', rate_category: 'data' } as const

/** Amazon sends at most 256 KB; others tell of many things at once. */
const BODY_BYTES_MAX = 1024 * 1024
/** Wrong proofs that one address may send to one bucket in a minute. */
const FAILURES_PER_MINUTE = 20

export async function sourceAdapterRoutes(
  app: App,
  { sourceAdapters }: { sourceAdapters: SourceAdapterService },
) {
  await app.register(async (raw: App) => {
    keepBytes(raw)
    receivingRoutes(raw, sourceAdapters)
  })
  app.get(
    EVENTS,
    {
      config: { permission: 'read', paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_source_events_v1_buckets__bucket_identifier__source_adapter_events_get',
        tags,
        params: Params,
        querystring: ListEventsQuery,
        response: { 200: ListEventsResponse, ...errorResponses },
      },
    },
    ({ scope, params, query, page }) => sourceAdapters.list(scope, params.bucket_identifier, query, page),
  )
  app.post(
    `${EVENTS}/:event_key/replay`,
    {
      config: WRITES,
      schema: {
        operationId:
          'replay_source_event_v1_buckets__bucket_identifier__source_adapter_events__event_key__replay_post',
        tags,
        params: EventParams,
        response: { 200: SourceEvent, ...errorResponses },
      },
    },
    ({ scope, params }) => sourceAdapters.replay(scope, params.bucket_identifier, params.event_key),
  )
}

/** A signature is one of bytes, and what is not signed is not even parsed. */
function keepBytes(app: App): void {
  app.removeAllContentTypeParsers()
  for (const type of ['*', 'application/json'])
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes))
}

function receivingRoutes(app: App, sourceAdapters: SourceAdapterService) {
  const failures = new TokenBuckets()
  app.post(
    EVENTS,
    {
      // No key: senders prove themselves by what the adapter of the bucket asks for.
      config: {},
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        operationId: 'receive_source_events_v1_buckets__bucket_identifier__source_adapter_events_post',
        description: 'Takes signed events in; the body is what the source adapter of the bucket expects.',
        tags,
        params: Params,
        response: { 202: ReceivedEvents, ...errorResponses },
      },
    },
    async (request, reply) => {
      const { bucket_identifier } = request.params
      // Senders behind one address must not pay for each other's buckets.
      const sender = `${request.ip} ${bucket_identifier}`
      const retry_after = failures.wait_s(sender, FAILURES_PER_MINUTE)
      if (retry_after > 0) throw new KuraError('too_many_wrong_events', { retry_after })
      try {
        return reply.code(202).send(await sourceAdapters.receiveSigned(bucket_identifier, incoming(request)))
      } catch (error) {
        if (error instanceof KuraError && error.code === 'event_not_authentic')
          failures.take(sender, FAILURES_PER_MINUTE)
        throw error
      }
    },
  )
  app.post(
    `${EVENTS}/push`,
    {
      config: WRITES,
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        operationId: 'push_source_events_v1_buckets__bucket_identifier__source_adapter_events_push_post',
        description: 'Takes events in that come with an API key instead of a signature.',
        tags,
        params: Params,
        response: { 202: ReceivedEvents, ...errorResponses },
      },
    },
    async (request, reply) =>
      reply
        .code(202)
        .send(
          await sourceAdapters.receive(request.scope, request.params.bucket_identifier, incoming(request)),
        ),
  )
}

function incoming({ headers, body }: FastifyRequest): Incoming {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
  return { headers, bytes, parse: (inner = decodeBody(bytes)) => parseBody(inner) }
}
