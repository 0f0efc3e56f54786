import type { FastifyRequest } from 'fastify'

/** The address under which a client reached us, for links in answers; a configured one wins. */
export function baseUrl(
  request: FastifyRequest,
  { public_url }: { public_url?: string | undefined },
): string {
  return public_url?.replace(/\/+$/, '') ?? `${request.protocol}://${request.host}`
}
