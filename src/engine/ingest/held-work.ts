import type { Scope } from '../../core/scope.ts'
import { dialect, type Trx } from '../../platform/db/db.ts'
import type { Job, JobKind } from '../../platform/queue/queue.ts'
import type { ExtractPayload, TierPayload } from './payloads.ts'

/** A job that a cancellation took out of the queue. */
export type HeldJob = { kind: JobKind; payload: TierPayload }

/** Which work a tier holds: null for a tier that was not cut off, or that was before anything was held. */
export const readHeld = (held_jobs: string | null): HeldJob[] =>
  held_jobs === null ? [] : (JSON.parse(held_jobs) as HeldJob[])

/** The rows of those jobs that name them. */
export const countHeldRows = (jobs: readonly { kind: string; payload: unknown }[]): number =>
  jobs
    .filter(({ kind }) => kind === 'extract')
    .reduce((sum, { payload }) => sum + (payload as ExtractPayload).rows.length, 0)

/**
 * Takes the jobs of a batch out of the queue: those that wait, or those that run, whose workers then
 * lose their lease and can commit nothing more.
 */
export async function takeJobs(
  trx: Trx,
  { namespaceId }: Scope,
  batch_id: string,
  which: 'waiting' | 'running',
): Promise<HeldJob[]> {
  const rows = await trx
    .deleteFrom('jobs')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('status', 'in', which === 'running' ? ['running'] : ['queued', 'delayed'])
    .returning(['kind', 'payload'])
    .execute()
  return (
    rows
      .map(({ kind, payload }) => ({ kind: kind as JobKind, payload: JSON.parse(payload) as TierPayload }))
      // A batch of which only the end is left needs nobody to remember that.
      .filter(({ kind }) => kind !== 'finish_batch')
  )
}

/** Adds to what a canceled batch holds, in the tier that was cut off. The caller MUST have locked the batch. */
export async function hold(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: { batch_id: string; tier_num: number },
  jobs: readonly HeldJob[],
): Promise<void> {
  const tier = trx
    .selectFrom('batch_tiers')
    .select('held_jobs')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
  const held = readHeld((await tier.executeTakeFirst())?.held_jobs ?? null)
  await trx
    .updateTable('batch_tiers')
    .set({ held_jobs: JSON.stringify([...held, ...jobs]) })
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .execute()
}

/**
 * What a job leaves undone that found its batch canceled; nothing when the batch is gone. Call it in the
 * transaction that completes the job: a retry takes away the jobs that run, so none ends unseen by it.
 */
export async function holdRest(
  trx: Trx,
  scope: Scope,
  job: Job,
  payload = job.payload as TierPayload,
): Promise<void> {
  if (job.batch_id === null || job.tier_num === null) return
  const query = trx
    .selectFrom('batches')
    .select(['status', 'task_id'])
    .where('namespace_id', '=', scope.namespaceId)
    .where('batch_id', '=', job.batch_id)
  const batch = await (dialect(trx) === 'postgres' ? query.forUpdate() : query).executeTakeFirst()
  if (batch?.status !== 'CANCELED' || (payload.task_id ?? batch.task_id) !== batch.task_id) return
  const key = { batch_id: job.batch_id, tier_num: job.tier_num }
  await hold(trx, scope, key, [{ kind: job.kind, payload }])
}
