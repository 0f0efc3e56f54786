import { ERRORS, type ErrorCode } from '../../core/error-table.ts'
import { KuraError } from '../../core/errors.ts'

/** What a thread answers: by method name, what it takes and what it returns. */
export type Methods = Record<string, { takes: unknown; returns: unknown }>

export type Call = { id: number; method: string; args: unknown }

/** A failure as it crosses the border between threads, where classes are lost. */
export type SentError = { code?: string; details?: Record<string, unknown>; message: string; stack?: string }

export type Reply =
  | { id: number; value: unknown }
  | { id: number; error: SentError }
  | { log: 'info' | 'warn'; facts: Record<string, unknown>; message: string }

export function packError(error: unknown): SentError {
  if (error instanceof KuraError)
    return { code: error.code, details: error.details, message: error.message, stack: error.stack }
  if (error instanceof Error) return { message: error.message, stack: error.stack }
  return { message: String(error) }
}

/** Errors that the thread raised on purpose keep their code; anything else is a fault of the index. */
export function unpackError({ code, details, message, stack }: SentError): KuraError {
  if (code !== undefined && code in ERRORS) return new KuraError(code as ErrorCode, details, { message })
  const cause = new Error(message)
  if (stack !== undefined) cause.stack = stack
  return new KuraError('vector_index_unavailable', {}, { cause })
}
