import { ABSENT, renderTemplate } from '../../core/templates/template.ts'
import type { Attempt } from './delivery-schemas.ts'
import type { WebhookEvent } from './event.ts'

/** What came of handing a message to a receiver. Throwing means the same as `is_success: false`. */
export type Outcome = {
  is_success: boolean
  response_status?: number
  response_excerpt?: string
  error?: string
  retry_after?: string | undefined
  /** The receiver wants nothing more from this webhook, ever (410). */
  is_gone?: boolean
}

/** One message on its way. */
export type Message = { delivery_id: string; event: WebhookEvent; signal: AbortSignal }

/** A template as text; what is absent is empty, what is no text is JSON. */
export function renderText(template: string, event: WebhookEvent): string {
  const value = renderTemplate(template, { INPUT: event, EVENT: event })
  if (value === ABSENT) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const EXCERPT_CHARACTERS_MAX = 1024

/** The begin of an answer as text that every database can store. */
export function excerptOf(bytes: Uint8Array): string {
  return (
    Buffer.from(bytes)
      .toString('utf8')
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out.
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '')
      .slice(0, EXCERPT_CHARACTERS_MAX)
      .toWellFormed()
  )
}

/** Attempts that one delivery remembers. */
const ATTEMPTS_KEPT = 20

/** The log of a delivery with one more attempt. */
export function withAttempt(attempts: string, attempt: Attempt): string {
  return JSON.stringify([...(JSON.parse(attempts) as Attempt[]), attempt].slice(-ATTEMPTS_KEPT))
}
