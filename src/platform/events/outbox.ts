import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { WebhookEventType } from '../../core/webhook-events.ts'
import { dialect, type Trx } from '../db/db.ts'
import { slot, Templates } from '../db/templates.ts'
import { insertJobs } from '../queue/db-queue.ts'

/** Something that happened, for webhooks (contract, webhooks). Type names are those of the contract. */
export type NewEvent = {
  event_type: WebhookEventType
  subject: { type: string; id: string }
  /** Facts about it; ids and numbers, never file contents. A getter is asked only when somebody listens. */
  metadata: Readonly<Record<string, unknown>>
  /** What a client's cache should forget. */
  cache_scope?: Readonly<Record<string, unknown>>
}

/** Rows of one insert; keeps it under SQLite's bound of 32,766 parameters. */
const INSERT_ROWS_MAX = 500

/**
 * Records events in the transaction of the change that they tell of, so that a change without its
 * event, or an event without its change, cannot be. Nothing is written while no active webhook of
 * the organization asks for the type; then this costs one small read.
 */
export async function recordEvents(trx: Trx, scope: Scope, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return
  const listening = await listenedTypes(trx, scope.organizationId)
  const wanted = events.filter(({ event_type }) => listening.has(event_type))
  if (wanted.length === 0) return
  const occurred_at = timestamp()
  const rows = wanted.map(({ event_type, subject, metadata, cache_scope }) => ({
    event_id: newId.event(),
    organization_id: scope.organizationId,
    namespace_id: scope.namespaceId,
    event_type,
    occurred_at,
    subject: JSON.stringify(subject),
    metadata: JSON.stringify(metadata),
    cache_scope: cache_scope ? JSON.stringify(cache_scope) : null,
    handed_over_at: null,
  }))
  for (let start = 0; start < rows.length; start += INSERT_ROWS_MAX) {
    await trx
      .insertInto('outbox_events')
      .values(rows.slice(start, start + INSERT_ROWS_MAX))
      .execute()
  }
  await wakeDispatcher(trx, scope.organizationId)
}

/** Lets a worker look after the deliveries of the organization, once the transaction has committed. */
export async function wakeDispatcher(trx: Trx, organization_id: string, delay_ms = 0): Promise<void> {
  // No namespace: the job must outlive the one that the event tells of.
  await insertJobs(trx, [
    { organization_id, namespace_id: '', kind: 'deliver_webhook', payload: {}, delay_ms },
  ])
}

/** Every write asks this, so the statement is built once. */
const templates = new Templates()

async function listenedTypes(trx: Trx, organization_id: string): Promise<Set<string>> {
  const rows = await templates.run<{ event_types: string }>(trx, dialect(trx), { organization_id }, () =>
    trx
      .selectFrom('webhooks')
      .select('event_types')
      .where('organization_id', '=', slot<string>('organization_id'))
      .where('is_active', '=', 1)
      .compile(),
  )
  return new Set(rows.flatMap(({ event_types }) => JSON.parse(event_types) as string[]))
}
