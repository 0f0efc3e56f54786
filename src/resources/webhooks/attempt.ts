import { KuraError } from '../../core/errors.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp, toTimestamp } from '../../core/time.ts'
import { type Db, inTransaction, type Trx } from '../../platform/db/db.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import { type Message, type Outcome, withAttempt } from './channel-sender.ts'
import type { StoredChannel } from './channels.ts'
import type { Attempt } from './delivery-schemas.ts'
import { cancelPending, type DeliveryChange, type DeliveryRow, settle } from './delivery-store.ts'
import type { WebhookEvent } from './event.ts'
import { retryDelay } from './retry-schedule.ts'
import { type Smtp, sendEmail } from './send-email.ts'
import { sendWebhook } from './send-http.ts'
import { sendSlack } from './send-slack.ts'
import { updateWebhook, type WebhookRecord } from './store.ts'

export type Sender = {
  http: Pick<HttpClient, 'request'>
  allows_http: boolean
  /** Null: e-mail is not configured. */
  smtp: Smtp | null
}

/** A webhook that gave up so many deliveries in a row, over at least this time, is switched off. */
export const FAILED_DELIVERIES_MAX = 10
export const FAILING_MS_MAX = 3 * 86_400_000

/** Tries one delivery once. Rejects only when `signal` aborts: then nobody knows what came of it. */
export async function tryDelivery(
  sender: Sender,
  channel: StoredChannel,
  message: Message,
): Promise<{ outcome: Outcome; attempt: Attempt }> {
  const started_at = timestamp()
  const start_ms = performance.now()
  const outcome = await send(sender, channel, message)
  const { is_success, response_status, response_excerpt, error } = outcome
  const attempt: Attempt = {
    started_at,
    duration_ms: Math.round(performance.now() - start_ms),
    is_success,
    ...(response_status !== undefined && { response_status }),
    ...(response_excerpt && { response_excerpt }),
    ...(error && { error }),
  }
  return { outcome, attempt }
}

async function send(sender: Sender, channel: StoredChannel, message: Message): Promise<Outcome> {
  try {
    switch (channel.channel) {
      case 'webhook':
        return await sendWebhook(sender, channel, message)
      case 'slack':
        return await sendSlack(sender, channel.configs, message)
      case 'email':
        if (!sender.smtp) throw new KuraError('email_not_configured')
        return await sendEmail(sender.smtp, channel.configs, message)
    }
  } catch (error) {
    message.signal.throwIfAborted()
    return { is_success: false, error: reasonOf(error) }
  }
}

/** Only our own words: what a library says may name addresses inside the operator's network, or a password. */
function reasonOf(error: unknown): string {
  if (error instanceof KuraError) return error.message
  const { responseCode, code } = error as { responseCode?: unknown; code?: unknown }
  if (typeof responseCode === 'number') return `The mail server refused the message (${responseCode}).`
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return `The mail server cannot be used (${code}).`
  return 'The message could not be made or sent.'
}

/** Writes what came of an attempt, and what follows from it for the webhook, in one transaction. */
export async function recordOutcome(
  db: Db,
  webhook: WebhookRecord,
  row: DeliveryRow,
  { outcome, attempt }: { outcome: Outcome; attempt: Attempt },
): Promise<void> {
  const scope = { organizationId: webhook.organization_id }
  const attempt_count = row.attempt_count + 1
  const change = changeOf(attempt_count, outcome)
  await inTransaction(db, async (trx) => {
    const isCurrent = await settle(trx, scope, row, {
      ...change,
      attempt_count,
      attempts: withAttempt(row.attempts, attempt),
    })
    if (isCurrent) await judgeWebhook(trx, scope, webhook.webhook_id, outcome, change.status === 'failed')
  })
}

function changeOf(attempt_count: number, outcome: Outcome): DeliveryChange {
  const now_ms = Date.now()
  if (outcome.is_success)
    return { status: 'delivered', next_attempt_at: null, error: null, completed_at: timestamp() }
  const error = outcome.error ?? null
  const delay_ms = outcome.is_gone ? null : retryDelay(attempt_count, outcome.retry_after, now_ms)
  return delay_ms === null
    ? { status: 'failed', next_attempt_at: null, error, completed_at: timestamp() }
    : { status: 'pending', next_attempt_at: toTimestamp(now_ms + delay_ms), error }
}

/** Success forgives everything; a receiver that is gone, or has failed for days, is left alone. */
async function judgeWebhook(
  trx: Trx,
  scope: OrganizationScope,
  webhook_id: string,
  outcome: Outcome,
  is_given_up: boolean,
): Promise<void> {
  const state = await trx
    .selectFrom('webhooks')
    .select(['failed_deliveries', 'failing_since'])
    .where('organization_id', '=', scope.organizationId)
    .where('webhook_id', '=', webhook_id)
    .executeTakeFirst()
  if (!state) return
  if (outcome.is_success) {
    if (state.failing_since !== null)
      await updateWebhook(trx, scope, webhook_id, { failed_deliveries: 0, failing_since: null })
    return
  }
  if (outcome.is_gone) return switchOff(trx, scope, webhook_id, 'gone')
  if (state.failing_since !== null && !is_given_up) return
  const failing_since = state.failing_since ?? timestamp()
  const failed_deliveries = state.failed_deliveries + Number(is_given_up)
  await updateWebhook(trx, scope, webhook_id, { failing_since, failed_deliveries })
  const isHopeless =
    failed_deliveries >= FAILED_DELIVERIES_MAX && failing_since < toTimestamp(Date.now() - FAILING_MS_MAX)
  if (isHopeless) await switchOff(trx, scope, webhook_id, 'failing')
}

async function switchOff(
  trx: Trx,
  scope: OrganizationScope,
  webhook_id: string,
  inactive_reason: 'gone' | 'failing',
): Promise<void> {
  await updateWebhook(trx, scope, webhook_id, { is_active: 0, inactive_reason })
  await cancelPending(trx, scope, webhook_id, `The webhook was switched off (${inactive_reason}).`)
}

/** The message of a delivery. */
export const messageOf = (row: DeliveryRow, event: WebhookEvent, signal: AbortSignal): Message => ({
  delivery_id: row.delivery_id,
  event,
  signal,
})
