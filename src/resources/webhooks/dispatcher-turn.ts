import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { dialect, type Trx } from '../../platform/db/db.ts'
import { wakeDispatcher } from '../../platform/events/outbox.ts'
import type { Job } from '../../platform/queue/queue.ts'
import { nextDueAt } from './delivery-store.ts'
import { hasWaitingEvents } from './hand-over.ts'

/**
 * Of the jobs of an organization one delivers, and the others step back: what they were made for is
 * committed, and the one that delivers looks for more, holding the same lock, before it ends. The
 * holder is named by its job, which the queue never loses, so the turn of a dead worker ends with it.
 */
export async function takeTurn(trx: Trx, job: Job): Promise<boolean> {
  const scope = { organizationId: job.organization_id }
  const holder = await lockTurn(trx, scope)
  if (holder.job_id !== null && holder.job_id !== job.job_id && (await exists(trx, holder.job_id)))
    return false
  await setTurn(trx, scope, { job_id: job.job_id })
  return true
}

/**
 * Ends the turn when nothing is left to do now, leaving a job for the next retry; false: there is work.
 */
export async function endTurn(trx: Trx, job: Job): Promise<boolean> {
  const scope = { organizationId: job.organization_id }
  const { wake_at } = await lockTurn(trx, scope)
  if (await hasWaitingEvents(trx, scope)) return false
  const next = await nextDueAt(trx, scope)
  const now = timestamp()
  if (next !== null && next <= now) return false
  // A job that wakes early enough is queued already.
  const isCovered = next === null || (wake_at !== null && wake_at > now && wake_at <= next)
  if (!isCovered) await wakeDispatcher(trx, scope.organizationId, Math.max(1, Date.parse(next) - Date.now()))
  await setTurn(trx, scope, { job_id: null, ...(!isCovered && { wake_at: next }) })
  return true
}

type Turn = { job_id: string | null; wake_at: string | null }

async function lockTurn(trx: Trx, { organizationId }: OrganizationScope): Promise<Turn> {
  await trx
    .insertInto('webhook_dispatchers')
    .values({ organization_id: organizationId, job_id: null, wake_at: null })
    .onConflict((conflict) => conflict.column('organization_id').doNothing())
    .execute()
  const query = trx
    .selectFrom('webhook_dispatchers')
    .select(['job_id', 'wake_at'])
    .where('organization_id', '=', organizationId)
  return (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirstOrThrow()
}

async function setTurn(trx: Trx, { organizationId }: OrganizationScope, turn: Partial<Turn>): Promise<void> {
  await trx
    .updateTable('webhook_dispatchers')
    .set(turn)
    .where('organization_id', '=', organizationId)
    .execute()
}

async function exists(trx: Trx, job_id: string): Promise<boolean> {
  const row = await trx.selectFrom('jobs').select('job_id').where('job_id', '=', job_id).executeTakeFirst()
  return row !== undefined
}
