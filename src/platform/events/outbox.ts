import { newId } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { Trx } from '../db/db.ts'

/** Something that happened, for webhooks (contract, webhooks). Type names are those of the contract. */
export type NewEvent = {
  event_type: string
  subject: { type: string; id: string }
  /** Facts about it; ids and numbers, never file contents. */
  metadata: Readonly<Record<string, unknown>>
  /** What a client's cache should forget. */
  cache_scope?: Readonly<Record<string, unknown>>
}

/**
 * Records events in the transaction of the change that they tell of, so that a change without its
 * event, or an event without its change, cannot be. Nothing is written while no active webhook of
 * the organization asks for the type.
 */
export async function recordEvents(trx: Trx, scope: Scope, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return
  const listening = await listenedTypes(trx, scope.organizationId)
  const wanted = events.filter(({ event_type }) => listening.has(event_type))
  if (wanted.length === 0) return
  const occurred_at = timestamp()
  await trx
    .insertInto('outbox_events')
    .values(
      wanted.map(({ event_type, subject, metadata, cache_scope }) => ({
        event_id: newId.event(),
        organization_id: scope.organizationId,
        namespace_id: scope.namespaceId,
        event_type,
        occurred_at,
        subject: JSON.stringify(subject),
        metadata: JSON.stringify(metadata),
        cache_scope: cache_scope ? JSON.stringify(cache_scope) : null,
      })),
    )
    .execute()
}

async function listenedTypes(trx: Trx, organization_id: string): Promise<Set<string>> {
  const rows = await trx
    .selectFrom('webhooks')
    .select('event_types')
    .where('organization_id', '=', organization_id)
    .where('is_active', '=', 1)
    .execute()
  return new Set(rows.flatMap(({ event_types }) => JSON.parse(event_types) as string[]))
}
