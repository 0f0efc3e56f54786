import { ValidationError, valueError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { App } from './app.ts'

/** Deeper JSON than any operation has; bounds every later recursion. */
const JSON_DEPTH_MAX = 64

/**
 * Reads JSON bodies whatever Content-Type says (clients and curl send several, or none), and an
 * empty body as no body. Refuses what one of the two databases could not store.
 */
export function registerBodyParser(app: App): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, parseBody(text as string))
    } catch (error) {
      done(error as Error)
    }
  })
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
  return body
}

/** Visits every value without recursion, so that the check itself has no depth limit. */
function checkStorable(body: unknown, text: string): void {
  // Only an escape can bring these in, so texts without one skip the character checks.
  const suspicious = /\\u(?:0000|d[89a-f])/i.test(text)
  const hasProto = text.includes('__proto__') || suspicious
  const stack: { value: unknown; depth: number }[] = [{ value: body, depth: 0 }]
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { value, depth } = next
    if (depth > JSON_DEPTH_MAX)
      throw valueError(['body'], `JSON may be nested at most ${JSON_DEPTH_MAX} levels deep`)
    if (typeof value === 'string' && suspicious) checkText(value)
    if (Array.isArray(value)) for (const item of value) stack.push({ value: item, depth: depth + 1 })
    else if (isObject(value)) {
      for (const [key, member] of Object.entries(value)) {
        if (hasProto && key === '__proto__')
          throw valueError(['body', key], 'This member name is not allowed')
        if (suspicious) checkText(key)
        stack.push({ value: member, depth: depth + 1 })
      }
    }
  }
}

function checkText(text: string): void {
  if (text.includes('\0')) throw valueError(['body'], 'Strings may not contain the character U+0000')
  if (!text.isWellFormed()) throw valueError(['body'], 'Strings must be valid Unicode (no lone surrogates)')
}
