import { ERRORS, type ErrorCode, type ErrorRow } from './error-table.ts'

/** One violated rule of a request, in the form that clients of the contract parse. */
export type Violation = { loc: (string | number)[]; msg: string; type: string }

/**
 * Every error that Kura raises on purpose. HTTP reads `row.status`, the worker `row.retryable`;
 * `cause` keeps the origin for the log and never reaches a client.
 */
export class KuraError extends Error {
  readonly code: ErrorCode
  readonly details: Record<string, unknown>

  constructor(
    code: ErrorCode,
    details: Record<string, unknown> = {},
    options: { cause?: unknown; message?: string } = {},
  ) {
    super(options.message ?? fillMessage(ERRORS[code].message, details), { cause: options.cause })
    this.name = 'KuraError'
    this.code = code
    this.details = details
  }

  get row(): ErrorRow {
    return ERRORS[this.code]
  }
}

/** A request that breaks shape rules: 422 with every violation listed. */
export class ValidationError extends KuraError {
  readonly violations: Violation[]

  constructor(
    violations: Violation[],
    code: ErrorCode = 'validation_error',
    details: Record<string, unknown> = {},
  ) {
    super(code, details)
    this.name = 'ValidationError'
    this.violations = violations
  }
}

/** A ValidationError with one violation of our own (`value_error`). */
export function valueError(loc: (string | number)[], msg: string, type = 'value_error'): ValidationError {
  return new ValidationError([{ loc, msg, type }])
}

function fillMessage(message: string, details: Record<string, unknown>): string {
  return message.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = details[name]
    if (value === undefined) return whole
    return Array.isArray(value) ? value.join(', ') : String(value)
  })
}
