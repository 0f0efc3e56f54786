import type { Readable } from 'node:stream'
import Type from 'typebox'
import { KuraError } from '../../../core/errors.ts'
import type { Scope } from '../../../core/scope.ts'
import type { App } from '../../../http/app.ts'
import type { UploadService } from '../service.ts'

/** Any page may send to a URL that somebody has made for it; no credentials are involved. */
const CORS = {
  origin: '*',
  methods: ['PUT'],
  allowedHeaders: ['Content-Type'],
  exposedHeaders: ['ETag', 'X-Request-Id'],
}

type Services = {
  uploads: UploadService
  /** Whose namespace it is; the signature covers both. */
  ownerOf: (namespace_id: string) => Promise<Scope | undefined>
}

/** Where presigned uploads of a server with file storage arrive: the signature is the permission. */
export async function uploadPutRoutes(app: App, { uploads, ownerOf }: Services) {
  // The body is whatever the client declared it to be: it goes to the store as it comes.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  app.route({
    method: ['PUT', 'OPTIONS'],
    url: '/files/:namespace_id/uploads/:upload_id',
    config: { cors: CORS, hidden: true, streams: true },
    schema: {
      params: Type.Object({ namespace_id: Type.String(), upload_id: Type.String() }),
      // Whatever is wrong with them, the answer is the same 403.
      querystring: Type.Object({
        expires: Type.Optional(Type.String()),
        content_type: Type.Optional(Type.String()),
        signature: Type.Optional(Type.String()),
      }),
    },
    async handler(request, reply) {
      const { namespace_id, upload_id } = request.params
      const { content_type = '', signature = '' } = request.query
      const scope = await ownerOf(namespace_id)
      if (!scope) throw new KuraError('signature_invalid')
      const expires = Number(request.query.expires)
      const length = request.headers['content-length']
      const { etag } = await uploads
        .receive(scope, { upload_id, content_type, expires }, signature, {
          source: (request.body as Readable | undefined) ?? request.raw,
          content_type: request.headers['content-type'],
          content_length: length === undefined ? undefined : Number(length),
        })
        .catch((cause: unknown) => {
          if (cause instanceof KuraError || !request.raw.errored) throw cause
          // Nobody reads this; it only keeps a client's broken connection from being logged as our fault.
          throw new KuraError('bad_request', { reason: 'The body broke off.' }, { cause })
        })
      return reply.header('etag', `"${etag}"`).send()
    },
  })
  app.addHook('onError', (request, reply, _error, done) => {
    // What is still on its way belongs to a body that nobody reads: the connection cannot be used again.
    if (!request.raw.complete) reply.header('connection', 'close')
    done()
  })
}
