import type { ServerOptions } from '@tus/server'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { KuraError } from '../../../core/errors.ts'
import type { App } from '../../../http/app.ts'
import { baseUrl } from '../../../http/base-url.ts'
import { envelope } from '../../../http/error-handler.ts'
import type { UploadRow } from '../record.ts'
import type { UploadService } from '../service.ts'
import { UploadLocker } from '../tus/locker.ts'
import { ResumableUploads } from '../tus/resumable.ts'
import type { TusStore } from '../tus/tus-store.ts'

/** The second is for keys that may use one bucket only: its path names it. */
const PATHS = ['/uploads/tus', '/buckets/:bucket_identifier/uploads/tus']

/** Ours, beside those of the protocol. */
const ALLOWED_HEADERS = ['X-Namespace', 'X-Namespace-Id', 'X-Request-Id']
const EXPOSED_HEADERS = [
  'Tus-Max-Size',
  'Upload-Expires',
  'Upload-Id',
  'Upload-Object-Id',
  'Upload-Status',
  'Upload-Task-Id',
  'X-Request-Id',
]

type Services = { uploads: UploadService; config: { public_url?: string | undefined } }

/** Resumable uploads by the tus protocol 1.0 (https://tus.io/protocols/resumable-upload). */
export async function tusRoutes(app: App, { uploads, config }: Services) {
  // Bodies are bytes on their way to the store.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  // Pages of any origin may upload with a key; also a refusal must be readable for them.
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('access-control-allow-origin', '*')
    done()
  })
  const handler = (request: FastifyRequest, reply: FastifyReply) =>
    answer(request, reply, { uploads, config })
  const common = { cors: false, hidden: true, streams: true, rate_category: 'upload' } as const
  const writes = { ...common, permission: 'write', operation: 'write_data' } as const
  for (const path of PATHS) {
    const one = `${path}/:upload_id`
    app.route({ method: 'OPTIONS', url: path, config: common, handler })
    app.route({ method: 'OPTIONS', url: one, config: common, handler })
    app.route({ method: 'POST', url: path, config: writes, handler })
    app.route({ method: ['HEAD', 'PATCH', 'DELETE'], url: one, config: writes, handler })
  }
}

/** The library writes the answer itself. */
async function answer(request: FastifyRequest, reply: FastifyReply, { uploads, config }: Services) {
  if (request.method !== 'OPTIONS' && request.headers['tus-resumable'] !== '1.0.0') {
    reply.header('tus-version', '1.0.0')
    throw new KuraError('tus_version_required')
  }
  // Loaded on first use: a server that takes no resumable uploads does not pay for it at start.
  const [{ TusServer }, { TusStore }] = await Promise.all([
    import('../tus/tus-server.ts'),
    import('../tus/tus-store.ts'),
  ])
  const { scope } = request
  const { limits, db } = uploads.context
  const { raw } = reply
  const { bucket_identifier } = request.params as { bucket_identifier?: string }
  const resumable = new ResumableUploads(uploads, scope, bucket_identifier)
  const path =
    bucket_identifier === undefined
      ? '/v1/uploads/tus'
      : `/v1/buckets/${encodeURIComponent(bucket_identifier)}/uploads/tus`
  const show = (row: UploadRow) => {
    for (const [name, value] of Object.entries(headersOf(row))) raw.setHeader(name, value)
  }
  const options: ServerOptions & { datastore: TusStore } = {
    path,
    maxSize: limits.upload_limit_bytes,
    // Who asks for the lock usually is the same client after its connection broke.
    lockDrainTimeout: 500,
    locker: new UploadLocker(db, scope),
    datastore: new TusStore({
      uploads: resumable,
      expiration_ms: limits.resumable_upload_seconds * 1000,
      onState: show,
    }),
    allowedHeaders: ALLOWED_HEADERS,
    exposedHeaders: EXPOSED_HEADERS,
    generateUrl: (_request, { id }) => `${baseUrl(request, config)}${path}/${id}`,
    namingFunction: (web, metadata) =>
      resumable.create(metadata ?? {}, Number(web.headers.get('upload-length') ?? 0)),
    onUploadFinish: async (_request, { id }) => {
      show(await resumable.finish(id))
      return {}
    },
    onResponseError: (_request, error) => refusal(request, error),
  }
  for (const [name, value] of Object.entries(reply.getHeaders())) raw.setHeader(name, value!)
  reply.hijack()
  await new TusServer(options).handle(request.raw, raw)
}

/** What has become of the upload, for clients that want its object. */
function headersOf({ upload_id, status, object_id, task_id }: UploadRow): Record<string, string> {
  return {
    'Upload-Id': upload_id,
    'Upload-Status': status,
    ...(object_id !== null && { 'Upload-Object-Id': object_id }),
    ...(task_id !== null && { 'Upload-Task-Id': task_id }),
  }
}

/** What is answered for an error that was thrown. */
function refusal(request: FastifyRequest, error: Error | { status_code: number; body: string }) {
  // In the words of the library, which TusServer puts into the envelope.
  if ('status_code' in error) return error
  const known = error instanceof KuraError ? error : new KuraError('internal_error', {}, { cause: error })
  const { status } = known.row
  if (status >= 500)
    request.log.error({ err: known.cause ?? known, code: known.code, request_id: request.id }, known.message)
  // 423 is what clients of the protocol try again after.
  const status_code = known.code === 'upload_locked' ? 423 : status
  return { status_code, body: JSON.stringify(envelope(known)) }
}
