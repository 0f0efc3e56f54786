import type { FastifyReply } from 'fastify'

/**
 * Answers with JSON that is text already, such as rows that the database wrote. The type lets a
 * handler promise the schema that its route declares; tests check that the text keeps the promise.
 */
export function sendJson(reply: Pick<FastifyReply, 'header' | 'send'>, text: string): never {
  reply.header('content-type', 'application/json; charset=utf-8')
  return reply.send(text) as never
}
