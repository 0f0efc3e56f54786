import { isUtf8 } from 'node:buffer'
import type { FastifyBodyParser } from 'fastify'
import { ValidationError, valueError } from '../core/errors.ts'
import type { App } from './app.ts'

/** Deeper JSON than any operation has; bounds every later recursion. */
const JSON_DEPTH_MAX = 64

/**
 * Reads JSON bodies whatever Content-Type says (clients and curl send several, or none), and an
 * empty body as no body. What cannot be read, or one of the two databases could not store, is kept as
 * `request.bodyFault`: who may not use the route is told that first (contract, order of checks).
 */
export function registerBodyParser(app: App): void {
  app.removeAllContentTypeParsers()
  app.decorateRequest('bodyFault')
  const parse: FastifyBodyParser<Buffer> = (request, bytes, done) => {
    try {
      done(null, parseBody(decodeBody(bytes)))
    } catch (error) {
      request.bodyFault = error as Error
      done(null, undefined)
    }
  }
  app.addContentTypeParser('*', { parseAs: 'buffer' }, parse)
  // By its name Fastify finds a parser at once; for '*' it takes every header apart first.
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, parse)
}

/** Other encodings would be read as text with other characters, and stored so. */
export function decodeBody(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw valueError(['body'], 'The body must be UTF-8', 'json_invalid')
  return bytes.toString('utf8')
}

export function parseBody(text: string): unknown {
  if (text.trim() === '') return undefined
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (cause) {
    const reason = (cause as Error).message
    throw new ValidationError([
      { loc: ['body', 0], msg: `JSON decode error: ${reason}`, type: 'json_invalid' },
    ])
  }
  checkStorable(body, text)
  if (LONG_INTEGER.test(text)) checkIntegers(text)
  return body
}

/** Visits every value without recursion, so that the check itself has no depth limit. */
function checkStorable(body: unknown, text: string): void {
  // Only an escape can bring these in, so texts without one skip the character checks.
  const suspicious = /\\u(?:0000|d[89a-f])/i.test(text)
  const hasProto = text.includes('__proto__') || suspicious
  const stack: { container: object; depth: number }[] = []
  const visit = (value: unknown, depth: number) => {
    if (typeof value === 'object' && value !== null) stack.push({ container: value, depth })
    else if (suspicious && typeof value === 'string') checkText(value)
    // `1e400` parses as infinity, which JSON has no word for: it would be stored as null.
    else if (typeof value === 'number' && !Number.isFinite(value))
      throw valueError(['body'], 'Numbers must be finite', 'finite_number')
  }
  visit(body, 0)
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { container, depth } = next
    if (depth > JSON_DEPTH_MAX)
      throw valueError(['body'], `JSON may be nested at most ${JSON_DEPTH_MAX} levels deep`)
    if (Array.isArray(container)) for (const item of container) visit(item, depth + 1)
    else {
      for (const [key, member] of Object.entries(container)) {
        if (hasProto && key === '__proto__')
          throw valueError(['body', key], 'This member name is not allowed')
        if (suspicious) checkText(key)
        visit(member, depth + 1)
      }
    }
  }
}

/** Perhaps an integer with more digits than a number keeps: 15 are always safe, decimal places are no matter. */
const LONG_INTEGER = /(?:^|[^\d.])\d{16}/

/** An id such as 9007199254740993 would come back as another one. */
function checkIntegers(text: string): void {
  JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => {
    const source = context?.source
    if (typeof value !== 'number' || source === undefined || !/^-?\d+$/.test(source)) return value
    if (BigInt(source) !== BigInt(value))
      throw valueError(
        ['body'],
        `The number ${source.slice(0, 40)} cannot be kept exactly. Send it as a string`,
        'int_parsing_size',
      )
    return value
  })
}

function checkText(text: string): void {
  if (text.includes('\0')) throw valueError(['body'], 'Strings may not contain the character U+0000')
  if (!text.isWellFormed()) throw valueError(['body'], 'Strings must be valid Unicode (no lone surrogates)')
}
