import { sql } from 'kysely'
import type { Db } from '../platform/db/db.ts'
import type { Finding } from './finding.ts'

/** Runs that failed in a row before a job counts as stuck: some seven minutes of trying. */
const STUCK_ATTEMPTS = 12

/** Jobs that fail again and again. They go on being tried; what stops them is for a person to mend. */
export async function checkJobs(db: Db): Promise<Finding> {
  const { total } = await db
    .selectFrom('jobs')
    .select(sql<number>`count(*)`.as('total'))
    .executeTakeFirstOrThrow()
  const stuck = await db
    .selectFrom('jobs')
    .select(['kind', 'last_error'])
    .where('attempt', '>=', STUCK_ATTEMPTS)
    .orderBy('created_at')
    .execute()
  const [first] = stuck
  return {
    check: 'background jobs',
    examined: Number(total),
    problems: stuck.length,
    repaired: 0,
    detail: first ? `${first.kind} fails again and again: ${first.last_error ?? 'its worker dies'}` : '',
  }
}
