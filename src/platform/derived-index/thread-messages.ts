import type { SentError } from '../../core/sent-error.ts'

/** What a thread answers: by method name, what it takes and what it returns. */
export type Methods = Record<string, { takes: unknown; returns: unknown }>

export type Call = { id: number; method: string; args: unknown }

export type Reply =
  | { id: number; value: unknown }
  | { id: number; error: SentError }
  | { log: 'info' | 'warn'; facts: Record<string, unknown>; message: string }
