import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import Type from 'typebox'
import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { App } from '../../http/app.ts'
import { matchesEtag, parseRange } from '../../http/byte-range.ts'
import type { Db } from '../../platform/db/db.ts'
import type { FileInfo, Files } from '../../platform/files/files.ts'
import { describeFile } from './headers.ts'

/** Any page may show what whoever made the URL was allowed to see; no credentials are involved. */
const CORS = {
  origin: '*',
  methods: ['GET', 'HEAD'],
  allowedHeaders: ['Range', 'If-Range', 'If-None-Match'],
  exposedHeaders: ['Accept-Ranges', 'Content-Disposition', 'Content-Length', 'Content-Range', 'ETag'],
}

/** Downloads through signed URLs: the signature is the permission, so no API key is asked for. */
export async function fileRoutes(app: App, { db, files }: { db: Db; files: Files }) {
  app.route({
    method: ['GET', 'HEAD', 'OPTIONS'],
    url: '/files/:namespace_id/:file_id',
    config: { cors: CORS, hidden: true },
    schema: {
      params: Type.Object({ namespace_id: Type.String(), file_id: Type.String() }),
      // Whatever is wrong with them, the answer is the same 403.
      querystring: Type.Object({
        expires: Type.Optional(Type.String()),
        signature: Type.Optional(Type.String()),
      }),
    },
    async handler(request, reply) {
      const { namespace_id, file_id } = request.params
      const { signature = '' } = request.query
      const expires = Number(request.query.expires)
      const scope = await ownerOf(db, namespace_id)
      if (!scope || !files.verify({ method: 'GET', scope, file_id, expires }, signature))
        throw new KuraError('signature_invalid')
      const file = await files.info(scope, file_id)
      reply.headers(describeFile(file, expires - Math.floor(Date.now() / 1000)))
      if (matchesEtag(request.headers['if-none-match'], etagOf(file))) return reply.code(304).send()
      const range = requestedPart(request.headers, file, reply)
      const length = range ? range.end - range.start + 1 : file.size_bytes
      reply.code(range ? 206 : 200).header('content-length', length)
      if (range) reply.header('content-range', `bytes ${range.start}-${range.end}/${file.size_bytes}`)
      if (request.method === 'HEAD' || length === 0) return reply.send()
      return reply.send(Readable.from(await files.read(scope, file_id, range), { objectMode: false }))
    },
  })
}

const etagOf = ({ sha256 }: FileInfo) => `"${sha256}"`

/** A part only when the client's copy, if it names one, is this file. Throws `range_not_satisfiable`. */
function requestedPart(
  headers: { range?: string | undefined; 'if-range'?: string | undefined },
  file: FileInfo,
  reply: FastifyReply,
) {
  const isOther = headers['if-range'] !== undefined && headers['if-range'] !== etagOf(file)
  const range = parseRange(isOther ? undefined : headers.range, file.size_bytes)
  if (range.kind === 'whole') return undefined
  if (range.kind === 'part') return { start: range.start, end: range.end }
  reply.header('content-range', `bytes */${file.size_bytes}`).removeHeader('cache-control')
  throw new KuraError('range_not_satisfiable', { size_bytes: file.size_bytes })
}

/** Whose namespace it is; the signature covers both. */
export async function ownerOf(db: Db, namespaceId: string): Promise<Scope | undefined> {
  const row = await db
    .selectFrom('namespaces')
    .select('organization_id')
    .where('namespace_id', '=', namespaceId)
    .executeTakeFirst()
  return row && { organizationId: row.organization_id, namespaceId }
}
