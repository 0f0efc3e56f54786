import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { inTransaction } from '../../platform/db/db.ts'
import type { Job, JobHandler, JobQueue } from '../../platform/queue/queue.ts'
import { type ApplyDeps, applyEvent, mayPass } from './apply.ts'
import type { SourceAdapterStore } from './config-store.ts'
import { type EventRow, findEvent, updateEvent } from './event-store.ts'

/** Waits before what failed for a passing reason is tried again. */
const RETRY_DELAYS_MS = [10_000, 60_000, 300_000, 1_800_000]

export type EventsPayload = { bucket_id: string; event_keys: string[] }

export type SourceEventDeps = ApplyDeps & { queue: JobQueue; adapters: SourceAdapterStore }

/** A job that takes in events which are kept already. */
export const newEventsJob = (
  { organizationId, namespaceId }: Scope,
  payload: EventsPayload,
  delay_ms = 0,
) => ({
  organization_id: organizationId,
  namespace_id: namespaceId,
  kind: 'take_source_events' as const,
  payload,
  delay_ms,
})

/** The job `take_source_events`: takes in events one after the other. Running it again is harmless. */
export function takeSourceEventsJob(deps: SourceEventDeps): JobHandler {
  return async (job, signal) => {
    const { bucket_id, event_keys } = job.payload as EventsPayload
    const place = { namespaceId: job.namespace_id, bucket_id }
    const found = await deps.adapters.find(deps.db, bucket_id)
    for (const event_key of event_keys) {
      signal.throwIfAborted()
      const event = await findEvent(deps.db, place, event_key)
      if (event?.status !== 'pending') continue
      try {
        if (!found)
          throw new KuraError('source_adapter_not_found', { resource: 'source_adapter', id: bucket_id })
        await applyEvent(deps, found, event, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof KuraError)) throw error
        await fail(deps, job, event, error)
      }
    }
    await inTransaction(deps.db, (trx) => deps.queue.complete(trx, job))
  }
}

async function fail(
  { db, queue }: SourceEventDeps,
  { organization_id, namespace_id }: Job,
  event: EventRow,
  error: KuraError,
): Promise<void> {
  const { bucket_id, event_key } = event
  const scope = { organizationId: organization_id, namespaceId: namespace_id }
  const delay_ms = mayPass(error) ? RETRY_DELAYS_MS[event.attempt_count] : undefined
  await inTransaction(db, async (trx) => {
    const isWritten = await updateEvent(trx, { namespaceId: namespace_id, bucket_id }, event, {
      status: delay_ms === undefined ? 'failed' : 'pending',
      attempt_count: event.attempt_count + 1,
      error: reasonOf(error),
    })
    if (isWritten && delay_ms !== undefined)
      await queue.enqueue(trx, [newEventsJob(scope, { bucket_id, event_keys: [event_key] }, delay_ms)])
  })
}

const reasonOf = (error: KuraError) => {
  const violations = 'violations' in error ? (error.violations as { msg: string; loc: unknown[] }[]) : []
  const details = violations.slice(0, 3).map(({ loc, msg }) => `${loc.join('.')}: ${msg}`)
  return [error.message, ...details].join(' ').slice(0, 2000)
}
