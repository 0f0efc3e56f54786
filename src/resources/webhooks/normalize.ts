import { randomText } from '../../core/ids.ts'
import { isObject } from '../../core/json.ts'
import { WEBHOOK_EVENT_TYPES } from '../../core/webhook-events.ts'

/**
 * Rewrites a new webhook: the dialect of n8n (`url`, `events`, `secret`, `active`) becomes one
 * `webhook` channel with a made-up name, and `*` becomes every event type.
 */
export function normalizeWebhook(body: unknown): unknown {
  const changed = normalizePatch(body)
  if (!isObject(changed) || changed.webhook_name !== undefined) return changed
  // Only who speaks the dialect gets a name; for others it is required.
  if (!isObject(body) || !('url' in body)) return changed
  return { ...changed, webhook_name: `webhook-${randomText(8)}` }
}

/** The same for a partial update, which names nothing. */
export function normalizePatch(body: unknown): unknown {
  if (!isObject(body)) return body
  const { url, events, secret, active, name, ...rest } = body
  const result: Record<string, unknown> = { ...rest }
  if (result.webhook_name === undefined && name !== undefined) result.webhook_name = name
  if (result.event_types === undefined && events !== undefined) result.event_types = events
  if (result.is_active === undefined && active !== undefined) result.is_active = active
  if (result.channels === undefined && url !== undefined)
    result.channels = [{ channel: 'webhook', configs: { url, ...(isGiven(secret) && { secret }) } }]
  if (typeof result.event_types === 'string') result.event_types = [result.event_types]
  if (Array.isArray(result.event_types) && result.event_types.includes('*'))
    result.event_types = [...WEBHOOK_EVENT_TYPES]
  return result
}

const isGiven = (value: unknown) => value !== undefined && value !== null && value !== ''
