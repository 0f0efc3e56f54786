import { ERRORS, type ErrorCode } from './error-table.ts'
import { KuraError } from './errors.ts'

/** An error as it crosses the border between threads or processes, where classes are lost. */
export type SentError = { code?: string; details?: Record<string, unknown>; message: string; stack?: string }

export function packError(error: unknown): SentError {
  if (error instanceof KuraError)
    return { code: error.code, details: error.details, message: error.message, stack: error.stack }
  if (error instanceof Error) return { message: error.message, stack: error.stack }
  return { message: String(error) }
}

/** What was raised on purpose keeps its code; anything else is a fault of the other side, told as `fallback`. */
export function unpackError({ code, details, message, stack }: SentError, fallback: ErrorCode): KuraError {
  if (code !== undefined && code in ERRORS) return new KuraError(code as ErrorCode, details, { message })
  const cause = new Error(message)
  if (stack !== undefined) cause.stack = stack
  return new KuraError(fallback, {}, { cause })
}
